"""Parts of a data set that share no row, no group, or no moment."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator

Parts = tuple[Int[np.ndarray, " _"], ...]


def random_split(
    rows: int | Shaped[np.ndarray, " n"], fractions: Sequence[float], seed: int
) -> Parts:
    """Disjoint random parts that together hold every row, as ascending row indices.

    Args:
        rows: how many rows there are; or one stratum a row, then each stratum is split in these
            fractions (rounded at random, so that many tiny strata stay in proportion).
        fractions: the share of each part; they sum to one.
        seed: the same seed gives the same parts.

    Rows of one host, subject or session fall on both sides: where that leaks, `group_split`.
    """
    strata = np.zeros(rows, dtype=int) if isinstance(rows, int) else rows
    generator = numpy_generator(seed, "random_split")
    _, owner, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    order = np.lexsort([generator.random(len(strata)), owner])
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    offset = generator.random(len(sizes))
    place = np.empty(len(strata))
    place[order] = (rank + np.repeat(offset, sizes)) / np.repeat(sizes, sizes)
    return _parts(place, fractions, "rows")


def group_split(groups: Shaped[np.ndarray, " n"], fractions: Sequence[float], seed: int) -> Parts:
    """Disjoint parts that share no group (host, subject, capture), as ascending row indices.

    Groups are put in random order and cut where the row counts come nearest to ``fractions``.
    """
    generator = numpy_generator(seed, "group_split")
    _, owner, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(sizes))
    centre = np.empty(len(sizes))
    centre[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / max(len(groups), 1)
    return _parts(centre[owner], fractions, f"rows in {len(sizes)} groups")


def time_split(times: Shaped[np.ndarray, " n"], fractions: Sequence[float]) -> Parts:
    """Parts in order of time, as ascending row indices: all of one lies before all of the next.

    Rows of the same moment stay together, in the earlier part.
    """
    if np.isnat(times).any() if times.dtype.kind in "mM" else np.isnan(times).any():
        raise InputError("times hold missing values; expected a time in each row")
    _, moment, sizes = np.unique(times, return_inverse=True, return_counts=True)
    first = np.cumsum(sizes) - sizes
    place = (first[moment] + 0.5) / max(len(times), 1)
    return _parts(place, fractions, "rows by time")


def _parts(place: Float[np.ndarray, " n"], fractions: Sequence[float], what: str) -> Parts:
    """The rows whose place in [0, 1) falls in each of the consecutive ``fractions``."""
    if not fractions or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(f"fractions {list(fractions)}; expected positive shares that sum to 1")
    part = np.searchsorted(np.cumsum(fractions)[:-1], place, side="right")
    parts = tuple(np.flatnonzero(part == i) for i in range(len(fractions)))
    if not all(map(len, parts)):
        raise InputError(
            f"{len(place)} {what} cannot be split into {list(fractions)}: a part would be empty"
        )
    return parts
