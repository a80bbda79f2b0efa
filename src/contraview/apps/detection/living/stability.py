"""Population stability: how far the flows of one period are from those a model learnt from."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

STABLE = 0.1
MOVED = 0.25
"""Below `STABLE` a column is as it was, from `MOVED` on it has moved; in between somewhat. The
bounds that credit scoring has used since Siddiqi (2006), Credit Risk Scorecards."""
BINS = 10
_LEAST = 1e-4
"""A share that is nought counts as this, so that a bin that emptied says something finite."""


class Spread:
    """Counts of a number in the tenths of a reference, batch by batch.

    Args:
        reference: values, or evenly spaced quantiles, of what is compared with.
    """

    def __init__(self, reference: Float[np.ndarray, " n"]) -> None:
        reference = reference[np.isfinite(reference)]
        tenths = np.quantile(reference, np.arange(1, BINS) / BINS) if len(reference) else []
        self._edges = np.unique(tenths)
        self._expected = self._counts(reference)
        self._found = np.zeros_like(self._expected)

    def add(self, values: Float[np.ndarray, " m"]) -> None:
        """Take values; those that are missing have a bin of their own."""
        self._found += self._counts(values)

    @property
    def index(self) -> float:
        """The population stability index so far."""
        return stability_index(self._expected, self._found)

    def _counts(self, values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " b"]:
        held = values[np.isfinite(values)]
        # A bin of its own for each edge: half of all flows may have no urgent bytes.
        left = np.searchsorted(self._edges, held, side="left")
        right = np.searchsorted(self._edges, held, side="right")
        bins = np.bincount(left + right, minlength=2 * len(self._edges) + 1)
        return np.append(bins, len(values) - len(held)).astype(float)


def stability_index(
    expected: Sequence[float] | np.ndarray, found: Sequence[float] | np.ndarray
) -> float:
    """The population stability index of counts in the same bins: sum of (f - e) log(f / e) over the
    shares f found and e expected. 0 where they agree; symmetric; no test, a size.
    """
    e, f = (np.maximum(np.asarray(c, float) / max(np.sum(c), 1), _LEAST) for c in (expected, found))
    return float(((f - e) * np.log(f / e)).sum())
