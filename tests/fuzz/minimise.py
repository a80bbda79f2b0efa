"""An input that is a finding, made as small as it still is: ``python -m tests.fuzz.minimise``.

Pieces are taken out, from halves down to single bytes, as long as the same thing goes wrong at
the same place. Each try is a process of its own: an input may end it.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz.judge import Finding, Reader, judge, where
from tests.fuzz.readers import reader

TRIES = 400


def main() -> int:
    """Minimise; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.minimise", description=__doc__)
    parser.add_argument("reader")
    parser.add_argument("inputs", nargs="+", type=Path, help="files that are findings")
    parser.add_argument("--out", type=Path, required=True, help="folder for the small ones")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    seen = set()
    for path in told.inputs:
        content = path.read_bytes()
        wrong = outcome(reader(told.reader), content)
        if not wrong or wrong in seen:
            continue
        seen.add(wrong)
        small = minimised(reader(told.reader), content, wrong)
        (told.out / path.name[-12:]).write_bytes(small)
        print(f"{told.reader}: {len(content)} -> {len(small)} bytes: {wrong}", flush=True)
    return 0


def minimised(chosen: Reader, content: bytes, wrong: str) -> bytes:
    """The smallest input found for which the same goes wrong."""
    size, tries = max(len(content) // 2, 1), 0
    while size and tries < TRIES:
        at, smaller = 0, False
        while at < len(content) and tries < TRIES:
            tries += 1
            without = content[:at] + content[at + size :]
            if outcome(chosen, without) == wrong:
                content, smaller = without, True
            else:
                at += size
        size = size if smaller and size > 1 else size // 2
    return content


def outcome(chosen: Reader, content: bytes) -> str:
    """What goes wrong, and where; "" where nothing does."""
    back, there = os.pipe()
    child = os.fork()
    if not child:
        os.close(back)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        said = b""
        with tempfile.TemporaryDirectory() as place:
            try:
                judge(chosen, content, Path(place))
            except Finding as finding:
                said = where(finding.__cause__).rpartition(":")[0].encode()
        os.write(there, said)
        os._exit(0)
    os.close(there)
    with os.fdopen(back, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or (f"ended by {os.waitstatus_to_exitcode(status)}" if status else "")


if __name__ == "__main__":
    sys.exit(main())
