"""Naming classes from a handful of labels: how the labels are drawn, how the answer is judged."""

import numpy as np
from jaxtyping import Int, Shaped

from contraview.core.errors import InputError


def few_labels(
    labels: Shaped[np.ndarray, " n"], per_class: int, generator: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Indices of ``per_class`` rows of each class, drawn without replacement.

    A class with fewer rows gives all it has, as in CLAN's protocol. The indices are grouped by
    class, classes in sorted order.
    """
    if per_class < 1:
        raise InputError(f"{per_class} labels a class; expected at least 1")
    _, owner, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = np.lexsort([generator.random(len(labels)), owner])
    place = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return shuffled[place < per_class]


def macro_f1(truth: Shaped[np.ndarray, " n"], predicted: Shaped[np.ndarray, " n"]) -> float:
    """The unweighted mean of F1 over the classes of ``truth``; a class never predicted has zero."""
    from sklearn.metrics import f1_score

    _need_rows(truth)
    classes = np.unique(truth)
    return float(f1_score(truth, predicted, labels=classes, average="macro"))


def accuracy(truth: Shaped[np.ndarray, " n"], predicted: Shaped[np.ndarray, " n"]) -> float:
    """The share of rows whose predicted class is the true one."""
    _need_rows(truth)
    return float((truth == predicted).mean())


def _need_rows(truth: Shaped[np.ndarray, " n"]) -> None:
    if not len(truth):
        raise InputError("no rows to judge; expected at least one")
