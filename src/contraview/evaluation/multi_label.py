"""Items that have several classes each: labels, a linear read-out, average precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt

BETWEEN = ";"
"""What parts the classes of an item in a text."""


def multi_hot(
    labels: Sequence[str] | Shaped[np.ndarray, " n"], classes: Sequence[str] | None = None
) -> tuple[Bool[np.ndarray, "n c"], tuple[str, ...]]:
    """Which classes each item has, and the classes in the order of the columns.

    Args:
        labels: the classes of each item as 'water;forest'; empty where nothing is known.
        classes: the columns; all that occur, sorted, where none are given.

    Raises:
        InputError: a class that is not among ``classes``, or fewer than two classes.
    """
    found = [{part.strip() for part in str(each).split(BETWEEN)} - {""} for each in labels]
    names = tuple(sorted(set().union(*found))) if classes is None else tuple(classes)
    if len(names) < 2:
        raise InputError(f"{len(names)} class among the labels; expected at least 2")
    column = {name: place for place, name in enumerate(names)}
    hot = np.zeros((len(found), len(names)), dtype=bool)
    for row, each in enumerate(found):
        unknown = each - column.keys()
        if unknown:
            raise InputError(f"class {min(unknown)!r}; expected some of {', '.join(names)}")
        hot[row, [column[name] for name in each]] = True
    return hot, names


def average_precisions(
    truth: Bool[np.ndarray, "n c"], scores: Float[np.ndarray, "n c"]
) -> Float[np.ndarray, " c"]:
    """Of each class the mean of precision over its items, ranked by score; NaN where it has none.

    Items with equal scores share one place in the ranking, as in scikit-learn.
    """
    found = np.full(truth.shape[1], np.nan)
    for column in np.flatnonzero(truth.any(0)):
        order = np.argsort(-scores[:, column], kind="stable")
        ranked, hits = scores[order, column], truth[order, column].cumsum()
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        gained = np.diff(hits[last], prepend=0)
        found[column] = (gained * hits[last] / (last + 1)).sum() / hits[-1]
    return found


def multi_label_map(truth: Bool[np.ndarray, "n c"], scores: Float[np.ndarray, "n c"]) -> float:
    """The mean of `average_precisions` over classes (mAP, macro); classes without items left out.

    Raises:
        InputError: no item has a class.
    """
    if not truth.any():
        raise InputError("no item has a class; expected at least one")
    return float(np.nanmean(average_precisions(truth, scores)))


@dataclass(frozen=True)
class MultiLabelProbe:
    """A logistic regression a class on standardised embeddings, kept as arrays.

    Attributes:
        classes: what the columns of `classify` stand for.
        mean: of the fitting rows, taken away first.
        scale: their standard deviation, divided by; 1 where a dimension is constant.
        weights: [c, d].
        bias: [c].
    """

    classes: tuple[str, ...]
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    weights: Float[np.ndarray, "c d"]
    bias: Float[np.ndarray, " c"]

    @classmethod
    def fit(
        cls,
        vectors: Float[np.ndarray, "n d"],
        labels: Sequence[str] | Shaped[np.ndarray, " m"],
        *,
        c: float = 1.0,
    ) -> "MultiLabelProbe":
        """Fit on labelled embeddings; rows with an empty label are left out.

        A class that all rows have, or none, gets its share (k + 1/2) / (n + 1) and no weights.

        Args:
            vectors: one row an item.
            labels: the classes of each row as 'water;forest'.
            c: inverse regularisation, as in scikit-learn.
        """
        from sklearn.linear_model import LogisticRegression

        if len(labels) != len(vectors):
            raise InputError(f"{len(labels)} labels for {len(vectors)} items; expected one each")
        hot, classes = multi_hot(labels)
        known = hot.any(1)
        rows, hot = vectors[known].astype(np.float64), hot[known]
        mean, spread = rows.mean(0), rows.std(0)
        scale = np.where(spread > 1e-9, spread, 1.0)
        rows = (rows - mean) / scale
        weights, bias = np.zeros((len(classes), rows.shape[1])), np.zeros(len(classes))
        for place, having in enumerate(hot.T):
            if having.all() or not having.any():
                share = (having.sum() + 0.5) / (len(having) + 1)
                bias[place] = np.log(share / (1 - share))
                continue
            model = LogisticRegression(C=c, max_iter=2000).fit(rows, having)
            weights[place], bias[place] = model.coef_[0], model.intercept_[0]
        return cls(classes, mean, scale, weights, bias)

    def classify(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """The probability that a row has each class; each class for itself."""
        margins = ((vectors - self.mean) / self.scale) @ self.weights.T + self.bias
        return 1 / (1 + np.exp(-np.clip(margins, -500, 500)))

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        arrays = {
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
            "bias": self.bias,
        }
        return Learnt(arrays, facts={"classes": list(self.classes)})

    @classmethod
    def restore(cls, learnt: Learnt) -> "MultiLabelProbe":
        """The probe that `learnt` described."""
        return cls(tuple(learnt.facts["classes"]), **learnt.arrays)
