"""Plain mutations of the seeds: ``python -m tests.fuzz.mutate READER|all --inputs N``.

Ten times as fast as hypothesis, and without a start for each reader as the coverage-guided fuzzer
needs it: what CI can afford. As users run the library, without the checks of types that the tests
are run under. Exit code 1 where there are findings.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.fuzz import memory
from tests.fuzz.judge import Finding, judge
from tests.fuzz.readers import NAMES, reader
from tests.fuzz.target import SECONDS, limit_memory

HOW = ("set", "insert", "cut", "repeat", "bit", "swap")
TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\x80\0\0\0",
        b"\n",
        b"\r",
        b'"',
        b"'",
        b",",
        b";",
    ),
    *(b"\t", b" ", b"-1", b"0", b"1e999", b"nan", b"inf", b"99999999999999999999", b"\x1b[2J"),
    *("\u202e".encode(), b"\xef\xbb\xbf", b"../", b"[" * 2000, b"{", b"}", b"null", b"#", b"\\"),
)


def main(arguments: list[str] | None = None) -> int:
    """Mutate; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.mutate", description=__doc__)
    parser.add_argument("readers", nargs="+", choices=[*NAMES, "all"], metavar="READER")
    parser.add_argument("--inputs", type=int, default=2000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="put inputs that are findings into this folder")
    told = parser.parse_args(arguments)
    names = NAMES if "all" in told.readers else told.readers
    wrong = 0
    chosen = [reader(name) for name in names]
    seeds = [each.seeds() for each in chosen]
    limit_memory()
    signal.signal(signal.SIGPROF, _hangs)
    for each, given in zip(chosen, seeds, strict=True):
        begun, g = time.process_time(), random.Random(f"{told.seed} {each.name}")
        with tempfile.TemporaryDirectory(dir=memory()) as folder:
            for number in range(told.inputs):
                content = mutated(given, g)
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                try:
                    judge(each, content, Path(folder))
                except Finding as finding:
                    wrong += 1
                    print(f"{each.name}, input {number}: {finding}: {content[:200]!r}", flush=True)
                    if told.keep:
                        (told.keep / each.name).mkdir(parents=True, exist_ok=True)
                        (told.keep / each.name / str(number)).write_bytes(content)
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
        spent = time.process_time() - begun
        print(f"{each.name}: {told.inputs:,} inputs, {spent:.1f} CPU s", flush=True)
    return int(wrong > 0)


def mutated(seeds: list[bytes], g: random.Random) -> bytes:
    """A seed with some pieces changed; now and then two seeds joined, or bytes of no format."""
    content = g.choice(seeds)
    kind = g.random()
    if kind < 0.05:
        content = g.randbytes(g.randrange(300))
    elif kind < 0.1:
        other = g.choice(seeds)
        content = content[: g.randrange(len(content))] + other[g.randrange(len(other)) :]
    changes = [
        (g.choice(HOW), g.random(), g.randint(1, 40), g.choice([*TOKENS, g.randbytes(4)]))
        for _ in range(g.randint(1, 6))
    ]
    return changed(content, changes)


def changed(content: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    """A seed with pieces set, inserted, cut, repeated, moved, and bits turned."""
    for how, place, size, token in changes:
        at = int(place * len(content))
        before, piece, after = content[:at], content[at : at + size], content[at + size :]
        if how == "set":
            content = before + token + content[at + len(token) :]
        elif how == "insert":
            content = before + token + content[at:]
        elif how == "cut":
            content = before + after
        elif how == "repeat":
            content = before + piece * 3 + after
        elif how == "swap":
            content = piece + before + after
        elif piece:
            content = before + bytes([piece[0] ^ 1 << size % 8]) + content[at + 1 :]
    return content


def _hangs(*_: object) -> None:
    raise TimeoutError(f"took more than {SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
