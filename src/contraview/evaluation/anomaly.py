"""How well a score tells attacks from benign rows. Scores: higher is more anomalous."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.threshold import alarm_rate


def auroc(benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]) -> float:
    """The chance that an attack scores above a benign row; a tie counts one half.

    The Mann-Whitney statistic over n m. It is signed: a score that ranks attacks as more normal
    than benign rows gets less than one half, and is not turned around.
    """
    _need_scores(benign, attacks)
    ordered = np.sort(benign)
    below = np.searchsorted(ordered, attacks, side="left")
    up_to = np.searchsorted(ordered, attacks, side="right")
    return float((below + up_to).mean() / (2 * len(benign)))


def unsigned_auroc(benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]) -> float:
    """max(A, 1 - A), as the official code of CLAN and its siblings reports it.

    It gives credit to a score that ranks an attack as more normal than benign, which no threshold
    can use. Only for comparison with figures made this way; `auroc` is the honest one.
    """
    signed = auroc(benign, attacks)
    return max(signed, 1 - signed)


def per_class_auroc(
    scores: Float[np.ndarray, " n"], labels: Shaped[np.ndarray, " n"], *, benign: Any
) -> dict[Any, float]:
    """For each attack class the signed AUROC of that class against all benign rows.

    Args:
        scores: one score a row.
        labels: one class a row; the rows whose label equals ``benign`` are the benign ones.
        benign: the label of benign rows.
    """
    classes = _by_class(scores, labels)
    if benign not in classes or len(classes) < 2:
        found = ", ".join(map(str, classes)) or "none"
        raise InputError(f"labels: {found}; expected {benign!r} and at least one attack class")
    normal = classes.pop(benign)
    return {name: auroc(normal, attacks) for name, attacks in classes.items()}


def class_mean(figures: Mapping[Any, float]) -> float:
    """The unweighted mean over classes: a rare attack counts as much as a flood."""
    if not figures:
        raise InputError("no class to average over")
    return sum(figures.values()) / len(figures)


def class_mean_auroc(
    scores: Float[np.ndarray, " n"], labels: Shaped[np.ndarray, " n"], *, benign: Any
) -> float:
    """The unweighted mean of `per_class_auroc`."""
    return class_mean(per_class_auroc(scores, labels, benign=benign))


def per_class_alarm_rate(
    scores: Float[np.ndarray, " n"], labels: Shaped[np.ndarray, " n"], threshold: float
) -> dict[Any, float]:
    """For each class, benign included, the share of its rows above ``threshold``."""
    classes = _by_class(scores, labels)
    return {name: alarm_rate(values, threshold) for name, values in classes.items()}


def average_precision(benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]) -> float:
    """The area under precision over recall, as a step function (scikit-learn's definition).

    Unlike AUROC it depends on the share of attacks among the rows, which is then part of the
    figure.
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*truth_and_scores(benign, attacks)))


def truth_and_scores(
    benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]
) -> tuple[Shaped[np.ndarray, " n+m"], Float[np.ndarray, " n+m"]]:
    """What scikit-learn's metrics take: whether each row is an attack, and its score."""
    _need_scores(benign, attacks)
    truth = np.repeat([False, True], [len(benign), len(attacks)])
    return truth, np.concatenate([benign, attacks])


def _by_class(
    scores: Float[np.ndarray, " n"], labels: Shaped[np.ndarray, " n"]
) -> dict[Any, Float[np.ndarray, " _"]]:
    """The scores of each class, classes in sorted order."""
    classes, owner, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    grouped = scores[np.argsort(owner, kind="stable")]
    parts = np.split(grouped, np.cumsum(sizes)[:-1])
    return dict(zip(classes.tolist(), parts, strict=True))


def _need_scores(benign: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]) -> None:
    for name, scores in (("benign", benign), ("attack", attacks)):
        if not len(scores):
            raise InputError(f"no {name} scores; expected at least one")
        if np.isnan(scores).any():
            raise InputError(f"{name} scores hold NaN; expected numbers")
