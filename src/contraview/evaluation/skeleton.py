"""The centre lines of a region, one pixel wide."""

import numpy as np
from jaxtyping import Bool

_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Steps to the eight neighbours, clockwise from the one above: P2 to P9."""


def _tables() -> tuple[Bool[np.ndarray, " 256"], Bool[np.ndarray, " 256"]]:
    """For each set of neighbours (bit k is P(k+2)) whether either half of a pass takes the pixel.

    Zhang and Suen 1984, Communications of the ACM 27(3), conditions (a) to (d) and (c') to (d').
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    rises = ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(1)
    count = bits.sum(1)
    edge = (rises == 1) & (count >= 2) & (count <= 6)
    above, right, below, left = bits[:, 0], bits[:, 2], bits[:, 4], bits[:, 6]
    first = edge & (above * right * below == 0) & (right * below * left == 0)
    second = edge & (above * right * left == 0) & (above * below * left == 0)
    return first, second


_FIRST, _SECOND = _tables()


def skeleton(region: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Thin ``region`` until nothing can be taken away without cutting it or shortening an end.

    Zhang and Suen's parallel thinning: pixels on the border go, in two alternating halves of a
    pass, while the neighbours they leave stay connected.
    """
    framed = np.pad(region, 1)
    kept, width = framed.reshape(-1).astype(np.uint8), framed.shape[1]
    steps = [down * width + right for down, right in _AROUND]
    places = np.flatnonzero(kept)
    while True:
        before = len(places)
        for table in (_FIRST, _SECOND):
            around = np.zeros(len(places), dtype=np.int64)
            for bit, step in enumerate(steps):
                around |= kept[places + step].astype(np.int64) << bit
            gone = table[around]
            kept[places[gone]] = 0
            places = places[~gone]
        if len(places) == before:
            return kept.reshape(framed.shape)[1:-1, 1:-1].astype(bool)
