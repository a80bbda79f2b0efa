"""ROC and precision-recall curves, thinned to what a plot can show."""

import numpy as np
from jaxtyping import Float

from contraview.evaluation.anomaly import truth_and_scores


def roc_curve(
    benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"], *, points: int = 200
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """False-alarm rate and detection rate from (0, 0) to (1, 1), at most ``points`` of them."""
    from sklearn.metrics import roc_curve as every_point

    fpr, tpr, _ = every_point(*truth_and_scores(benign, attacks))
    return _thinned(fpr, tpr, points)


def precision_recall_curve(
    benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"], *, points: int = 200
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Recall and precision, by rising recall, at most ``points`` of them."""
    from sklearn.metrics import precision_recall_curve as every_point

    precision, recall, _ = every_point(*truth_and_scores(benign, attacks))
    return _thinned(recall[::-1], precision[::-1], points)


def _thinned(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], points: int
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Points evenly spaced along the curve: a steep rise keeps its shape, both ends stay."""
    if len(x) <= points:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.searchsorted(length, np.linspace(0, length[-1], points - 1))
    kept = np.unique(np.append(kept, len(x) - 1))
    return x[kept], y[kept]
