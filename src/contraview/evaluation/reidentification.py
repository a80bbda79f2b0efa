"""Does an embedding know whose recording it is? Every item asks who is most like it."""

import numpy as np
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.retrieval import mean_average_precision


def reidentification_figures(
    vectors: Float[np.ndarray, "n d"],
    owners: Shaped[np.ndarray, " n"],
    sessions: Shaped[np.ndarray, " n"] | None = None,
) -> dict[str, float]:
    """Leave-one-out retrieval of an owner's other items by cosine, and how far owners lie apart.

    Items of a query's own session (the same recording, say) are left out of what it searches:
    they are alike because they were recorded together. Queries without another item of their owner
    are left out of the means.

    Args:
        vectors: one row an item.
        owners: whose each item is.
        sessions: in which session each was recorded; by default each item is its own.

    Returns:
        ``1-NN accuracy``, ``mAP``, and ``dispersion ratio``: mean squared distance of unit
        vectors to their owner's mean, over that of all to the mean of all; lower is better.

    Raises:
        InputError: no owner has items in two sessions.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    place = (
        np.arange(len(unit)) if sessions is None else np.unique(sessions, return_inverse=True)[1]
    )
    similarity[place[:, None] == place] = -np.inf
    same = owners[:, None] == owners
    able = (same & np.isfinite(similarity)).any(1)
    if not able.any():
        raise InputError("no owner has items in two sessions; expected at least one who has")
    hit = owners[similarity.argmax(1)] == owners
    return {
        "1-NN accuracy": float(hit[able].mean()),
        "mAP": mean_average_precision(same[able], similarity[able]),
        "dispersion ratio": _dispersion(unit, owners),
    }


def _dispersion(unit: Float[np.ndarray, "n d"], owners: Shaped[np.ndarray, " n"]) -> float:
    _, owner, counts = np.unique(owners, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), unit.shape[1]))
    np.add.at(means, owner, unit)
    within = np.square(unit - (means / counts[:, None])[owner]).sum()
    total = np.square(unit - unit.mean(0)).sum()
    return float(within / total) if total else 0.0
