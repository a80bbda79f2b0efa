"""Items that have several classes each: labels, a linear read-out, average precision."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.probes import LinearProbe

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

    Items with equal scores share one place in the ranking.
    """
    from sklearn.metrics import average_precision_score

    found = np.full(truth.shape[1], np.nan)
    for column in np.flatnonzero(truth.any(0)):
        found[column] = average_precision_score(truth[:, column], scores[:, column])
    return found


def multi_label_map(truth: Bool[np.ndarray, "n c"], scores: Float[np.ndarray, "n c"]) -> float:
    """The mean of `average_precisions` over classes (mAP, macro); classes without items left out.

    Raises:
        InputError: no item has a class.
    """
    if not truth.any():
        raise InputError("no item has a class; expected at least one")
    return float(np.nanmean(average_precisions(truth, scores)))


class MultiLabelProbe(LinearProbe):
    """A logistic regression a class, each class for itself, on standardised embeddings."""

    @classmethod
    def fit(  # pyright: ignore[reportIncompatibleMethodOverride] one kind alone
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
        return 1 / (1 + np.exp(-np.clip(self.margins(vectors), -500, 500)))
