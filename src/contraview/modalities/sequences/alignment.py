"""Local alignment with affine gaps, for many pairs at once (Smith, Waterman 1981; Gotoh 1982)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import Field

from contraview.core.config import Config
from contraview.modalities.sequences.letters import UNKNOWN

PAIRS: int = 64
"""Pairs aligned at a time: their rows stay in the cache."""
CLOSE = 1e-3
"""Scores that differ by less are equal: single precision, and costs of a tenth at the least."""

Bases = UInt8[np.ndarray, " _"]
Matrix = Float32[np.ndarray, "n w"]


class Scoring(Config):
    """What an alignment is worth. A gap of n bases costs open + (n - 1) extend.

    Where a gap is cheaper than a mismatch, as with the paper's values, a wrong base near the end of
    a read is aligned through a gap to some other place: the start is then off by many bases.
    """

    match: float = Field(gt=0, description="for a pair of equal bases")
    mismatch: float = Field(ge=0, description="taken off for two different bases")
    gap_open: float = Field(ge=0, description="taken off for a gap's first base")
    gap_extend: float = Field(ge=0, description="taken off for each further base of a gap")


@dataclass(frozen=True)
class Alignment:
    """Where a read lies in a window of the reference.

    Attributes:
        score: of the best local alignment.
        start: the window's base that the first aligned base of the read stands on.
        cigar: as in SAM, bases of the read that are not aligned clipped (``S``).
        distance: mismatches and gap bases within the aligned part (SAM's NM).
    """

    score: float
    start: int
    cigar: str
    distance: int


def scores(
    reads: Sequence[Bases], windows: Sequence[Bases], scoring: Scoring
) -> Float32[np.ndarray, " n"]:
    """The best local score of each read in its window; unknown bases match nothing."""
    found = np.zeros(len(reads), np.float32)
    order = np.argsort([len(each) for each in reads], kind="stable")
    for first in range(0, len(order), PAIRS):
        chosen = order[first : first + PAIRS]
        found[chosen] = _best([reads[i] for i in chosen], [windows[i] for i in chosen], scoring)
    return found


def _best(
    reads: Sequence[Bases], windows: Sequence[Bases], scoring: Scoring
) -> Float32[np.ndarray, " n"]:
    read, window = _padded(reads, 5), _padded(windows, 6)
    best = np.zeros(len(reads), np.float32)
    for row in _rows(read, window, scoring):
        np.maximum(best, row[0].max(1), out=best)
    return best


def _padded(sequences: Sequence[Bases], fill: int) -> UInt8[np.ndarray, "n t"]:
    rows = np.full((len(sequences), max(map(len, sequences))), fill, np.uint8)
    for row, each in zip(rows, sequences, strict=True):
        row[: len(each)] = each
    return rows


def _rows(
    read: UInt8[np.ndarray, "n m"], window: UInt8[np.ndarray, "n w"], scoring: Scoring
) -> Iterator[tuple[Matrix, Matrix, Matrix]]:
    """The matrices H (best so far), E (gap in the read), F (gap in the window), row by row.

    Yields for each base of the reads ([n, w] each, single precision)::

        F[i, j] = max(H[i-1, j] - open, F[i-1, j] - extend)
        H'[i, j] = max(0, H[i-1, j-1] + s(i, j), F[i, j])
        E[i, j] = max over k < j of H'[i, k] - open - (j - k - 1) extend
        H[i, j] = max(H', E)

    A gap is never opened from the other side of one just closed in the same direction, so E can
    be a running maximum over H' instead of a recursion, which makes a row one pass for all pairs.
    """
    n, w = window.shape
    above = np.zeros((n, w + 1), np.float32)
    gap = np.full((n, w), -np.inf, np.float32)
    slope = scoring.gap_extend * np.arange(w, dtype=np.float32)
    known = window < UNKNOWN
    for base in read.T:
        equal = (window == base[:, None]) & known
        np.maximum(above[:, 1:] - scoring.gap_open, gap - scoring.gap_extend, out=gap)
        here = np.where(equal, np.float32(scoring.match), np.float32(-scoring.mismatch))
        here += above[:, :-1]
        np.maximum(here, gap, out=here)
        np.maximum(here, 0, out=here)
        across = np.full((n, w), -np.inf, np.float32)
        running = np.maximum.accumulate(here + slope, axis=1)
        across[:, 1:] = running[:, :-1] - (scoring.gap_open - scoring.gap_extend) - slope[1:]
        np.maximum(here, across, out=here)
        above[:, 1:] = here
        yield here, across, gap


def align(read: Bases, window: Bases, scoring: Scoring) -> Alignment:
    """The best local alignment of one read; the leftmost end where several are equally good."""
    kept = [[part[0].copy() for part in row] for row in _rows(read[None], window[None], scoring)]
    best, across, gap = (np.stack(part) for part in zip(*kept, strict=True))
    i, j = (int(each) for each in np.unravel_index(best.argmax(), best.shape))
    end, score = i, float(best[i, j])
    steps: list[str] = []
    distance, state = 0, "M"
    while i >= 0 and j >= 0:
        if state == "M":
            here = best[i, j]
            if here < CLOSE:
                break
            if abs(here - gap[i, j]) < CLOSE:
                state = "I"
            elif abs(here - across[i, j]) < CLOSE:
                state = "D"
            else:
                distance += int(read[i] != window[j] or read[i] >= UNKNOWN)
                steps.append("M")
                i, j = i - 1, j - 1
            continue
        steps.append(state)
        distance += 1
        value = gap[i, j] if state == "I" else across[i, j]
        i, j = (i - 1, j) if state == "I" else (i, j - 1)
        inside = i >= 0 and j >= 0
        if not inside or abs(value - (best[i, j] - scoring.gap_open)) < CLOSE:
            state = "M"
    return Alignment(score, j + 1, _cigar(i + 1, steps[::-1], len(read) - 1 - end), distance)


def _cigar(clipped: int, steps: list[str], left: int) -> str:
    runs: list[tuple[int, str]] = [(clipped, "S")] if clipped else []
    for step in steps:
        if runs and runs[-1][1] == step:
            runs[-1] = (runs[-1][0] + 1, step)
        else:
            runs.append((1, step))
    if left:
        runs.append((left, "S"))
    return "".join(f"{count}{step}" for count, step in runs)
