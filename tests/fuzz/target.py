"""The process that atheris takes over: ``python -m tests.fuzz.target``, started by `fuzz`.

It never returns. What the other process has to know, how many inputs there were and the bytes of
the last, is on a board: a file that both have mapped.
"""

import hashlib
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
from pathlib import Path

BOARD = 1 << 20
"""Bytes of the board: the number of inputs, the size of the last, its bytes."""
CEILING = 3 << 30
"""Bytes of address space that an input may add to what the libraries take."""
SECONDS = 10
"""Of the processor's time; an input that takes more hangs."""
STILL = 600
"""Seconds without an answer, on however busy a machine, after which a process is stuck."""
_WORDS = (
    *("nan", "inf", "-inf", "1e999", "-1", "0", "99999999999999999999", "0x1p3", "null", "true"),
    *("\\xff\\xff\\xff\\xff", "\\x00", "\\x7f\\xff\\xff\\xff", "\\x00\\x00\\x00\\x80"),
    *("\\x1b[2J", "\\xe2\\x80\\xae", "\\x0d", "\\x0a", "\\x22", ",", ";", "\\x09", "..", "/", "#"),
    "\\xef\\xbb\\xbf",
)


def main(name: str, inputs: int, seed: int, keep: Path, folder: Path) -> None:
    """Give a reader so many inputs."""
    import atheris
    from tests.fuzz.judge import Finding, judge, where

    with atheris.instrument_imports(include=["contraview.modalities", "contraview.core"]):
        from tests.fuzz.readers import reader

        chosen = reader(name)
    tempfile.tempdir = str(folder)  # for what the library spools
    with (folder / "board").open("r+b") as file:
        board = mmap.mmap(file.fileno(), BOARD)
    corpus, work = folder / "corpus", folder / "work"
    corpus.mkdir()
    work.mkdir()
    seeds = chosen.seeds()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in _WORDS))
    limit_memory()

    def one(content: bytes) -> None:
        done = struct.unpack_from("<q", board)[0] + 1
        struct.pack_into("<qq", board, 0, done, len(content))
        board[16 : 16 + len(content)] = content
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # at its end the process is ended
        try:
            judge(chosen, content, work)
        except Finding as finding:
            said = where(finding.__cause__)
            called = hashlib.sha256(said.encode()).hexdigest()[:12]
            held = keep / called
            if not held.exists() or held.stat().st_size > len(content):
                held.write_bytes(content)
                (keep / f"{called}.txt").write_text(f"{finding} ({said})")

    options = {
        "runs": inputs,
        "seed": seed,
        "timeout": STILL,
        "rss_limit_mb": 0,  # the ceiling is on what may be mapped
        "max_len": max(4096, 2 * max(map(len, seeds))),
        "artifact_prefix": f"{folder}/",
        "dict": folder / "words",
        "verbosity": 0,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup(["fuzz", *flags, str(corpus)], one)
    atheris.Fuzz()
    os._exit(0)


def limit_memory() -> None:
    """A ceiling on memory, above what the libraries have mapped already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    ceiling = pages * resource.getpagesize() + CEILING
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
