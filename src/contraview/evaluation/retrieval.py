"""How well a ranking finds what belongs to a query."""

import numpy as np
from jaxtyping import Bool, Float, Int

from contraview.core.errors import InputError


def recall_at(found: Bool[np.ndarray, "m k"], k: int) -> float:
    """Share of queries with a right item among the first ``k``; ``found`` is in ranked order."""
    _need(found, k)
    return float(found[:, :k].any(1).mean())


def mean_average_precision(
    right: Bool[np.ndarray, "m n"], similarity: Float[np.ndarray, "m n"]
) -> float:
    """Mean over queries of average precision over the whole ranking, most similar first.

    Queries without any right item are left out. Ties keep the order of the items. A query's own
    item is excluded by giving it similarity -inf.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")
    ranked = np.take_along_axis(right & np.isfinite(similarity), order, axis=1)
    totals = ranked.sum(1)
    if not totals.any():
        raise InputError("no query has a right item; expected at least one")
    precision = ranked.cumsum(1) / np.arange(1, ranked.shape[1] + 1)
    each = (precision * ranked).sum(1)[totals > 0] / totals[totals > 0]
    return float(each.mean())


def median_rank(ranks: Int[np.ndarray, " m"]) -> float:
    """The median place, counted from 1, at which queries find their item."""
    return float(np.median(ranks))


def _need(found: Bool[np.ndarray, "m k"], k: int) -> None:
    if not len(found) or not 1 <= k <= found.shape[1]:
        raise InputError(f"recall at {k} of {found.shape}; expected queries, and 1 <= k <= ranked")
