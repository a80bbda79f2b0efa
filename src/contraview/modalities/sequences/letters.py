"""DNA letters and their numbers."""

from typing import Final

import numpy as np
from jaxtyping import UInt8

BASES: Final = b"ACGT"
UNKNOWN: Final = 4
"""The number of every letter that is not one certain base: N and the other IUPAC codes."""
AMBIGUOUS: Final = b"NRYSWKMBDHV"
ALLOWED: Final = BASES + AMBIGUOUS + b"U"

_NUMBERS: Final = np.full(256, UNKNOWN, np.uint8)
_NUMBERS[np.frombuffer(BASES, np.uint8)] = np.arange(4, dtype=np.uint8)
_PAIRED: Final = bytes.maketrans(b"ACGTURYSWKMBDHVN", b"TGCAAYRSWMKVHDBN")


def numbers(letters: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    """A, C, G, T as 0 to 3; every other letter as 4."""
    return _NUMBERS[letters]


def reverse_complement(letters: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    """The other strand, read in its own direction; ambiguous letters become their complement."""
    return np.frombuffer(letters.tobytes().translate(_PAIRED)[::-1], np.uint8)
