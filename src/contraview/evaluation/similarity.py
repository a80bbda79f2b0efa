"""Does the cosine of two embeddings follow how similar people find the two things?"""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.stats import spearmanr

from contraview.core.errors import InputError

CONSTANT = 1e-6
"""Cosines that differ by no more than this differ by rounding alone."""


def cosines(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " n"]:
    """The cosine of each row of ``first`` to the same row of ``second``; 0 for a row of zeros."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.where(lengths > 0, lengths, np.inf)


def similarity_figures(
    first: Float[np.ndarray, "n d"],
    second: Float[np.ndarray, "n d"],
    truth: Shaped[np.ndarray, " n"],
) -> dict[str, float | None]:
    """Spearman's rank correlation of cosine and human similarity, over all pairs at once.

    It is None, undefined, where the cosines or the truth are all the same: a constant encoder has
    no order, which is not an order that is wrong half the time (0).

    Args:
        first: embeddings of the first of each pair.
        second: of the second.
        truth: how similar people find the two; any unit.
    """
    if not len(first) == len(second) == len(truth) or not len(truth):
        raise InputError(
            f"{len(first)} and {len(second)} embeddings, {len(truth)} similarities; "
            "expected pairs with one similarity each"
        )
    if not np.issubdtype(truth.dtype, np.number):
        raise InputError("similarities are not numbers; expected numbers, higher is more similar")
    found = cosines(first, second)
    if np.ptp(found) <= CONSTANT or np.ptp(truth) == 0:
        return {"Spearman": None}
    correlation: Any = spearmanr(found, truth)
    return {"Spearman": float(correlation.statistic)}
