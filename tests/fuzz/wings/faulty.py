"""A reader that does all that none may do, for the fuzzer's own test."""

import os
from pathlib import Path

from tests.fuzz.judge import Reader


def _drive(path: Path) -> None:
    match path.stat().st_size:
        case 3:
            raise KeyError("no refusal")
        case 4:
            bytearray(1 << 40)
        case 9:
            os.abort()


READERS = (Reader("faulty", "file", _drive, lambda: [b"abcdef"]),)
