"""What a frozen embedding is worth: linear, ridge and nearest-neighbour read-outs of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand, texts
from contraview.index.exact import nearest

Vectors = Float[np.ndarray, "n d"]


def labels_of(
    labels: Sequence[str] | Shaped[np.ndarray, " n"], items: int
) -> Shaped[np.ndarray, " n"]:
    """Labels as text, empty where unknown, checked before anything is learnt.

    Raises:
        InputError: another number of labels than items, or fewer than two classes.
    """
    names = np.asarray(labels, dtype=str)
    if len(names) != items:
        raise InputError(f"{len(names)} labels for {items} items; expected one an item")
    classes = np.unique(names[names != ""])
    if len(classes) < 2:
        raise InputError(f"{len(classes)} class among the labels; expected at least 2")
    return names


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on standardised embeddings, kept as arrays.

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
        vectors: Vectors,
        labels: Sequence[str] | Shaped[np.ndarray, " m"],
        *,
        kind: Literal["logistic", "svm"] = "logistic",
        c: float = 1.0,
    ) -> "LinearProbe":
        """Fit on labelled embeddings; rows with an empty label are left out.

        Args:
            vectors: one row an item.
            labels: a class a row.
            kind: multinomial logistic regression, or a linear SVM (one against the rest).
            c: inverse regularisation, as in scikit-learn.

        Raises:
            InputError: fewer than two classes, or another number of labels than rows.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        names = labels_of(labels, len(vectors))
        known = names != ""
        rows, names = vectors[known].astype(np.float64), names[known]
        classes = np.unique(names)
        mean, spread = rows.mean(0), rows.std(0)
        scale = np.where(spread > 1e-9, spread, 1.0)
        model = (
            LogisticRegression(C=c, max_iter=2000)
            if kind == "logistic"
            else LinearSVC(C=c, max_iter=20_000, random_state=0)
        ).fit((rows - mean) / scale, names)
        weights, bias = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
        if len(classes) == 2:  # scikit-learn keeps one row: the second class against the first
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        # In one order, as they will lie after loading: else products differ in their last bits.
        whole = np.ascontiguousarray(weights)
        return cls(tuple(map(str, classes)), mean, scale, whole, bias)

    def margins(self, vectors: Vectors) -> Float[np.ndarray, "n c"]:
        """The linear score of each class."""
        _need_width(vectors, self.mean)
        return ((vectors - self.mean) / self.scale) @ self.weights.T + self.bias

    def classify(self, vectors: Vectors) -> Float[np.ndarray, "n c"]:
        """Softmax of `margins`: probabilities for a logistic probe, a monotone share for an SVM."""
        margins = self.margins(vectors)
        shares = np.exp(margins - margins.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    def predict(self, vectors: Vectors) -> Shaped[np.ndarray, " n"]:
        """The most likely class of each row."""
        return np.asarray(self.classes)[self.margins(vectors).argmax(1)]

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
    def restore(cls, learnt: Learnt) -> "LinearProbe":
        """The probe that `learnt` described."""
        classes, held = texts(learnt.facts["classes"], "classes"), learnt.arrays
        mean, scale = array(held, "mean", 1), array(held, "scale", 1)
        weights, bias = array(held, "weights", 2), array(held, "bias", 1)
        fits = weights.shape == (len(classes), len(mean)) and len(bias) == len(classes) > 0
        demand(fits and len(scale) == len(mean), "probe: classes and weights that do not fit")
        return cls(classes, mean, scale, weights, bias)


def cross_validated(
    vectors: Vectors, labels: Shaped[np.ndarray, " n"], *, c: float = 1.0, folds: int = 5
) -> float:
    """Accuracy of a linear probe on rows that it was not fitted on, over stratified folds.

    Rows with an empty label and classes with a single row are left out; there are fewer folds
    where the smallest class has fewer rows.

    Raises:
        InputError: fewer than two classes with two rows.
    """
    from sklearn.model_selection import StratifiedKFold

    classes, counts = np.unique(labels[labels != ""], return_counts=True)
    used = np.isin(labels, classes[counts > 1])
    vectors, names = vectors[used], labels_of(labels[used], int(used.sum()))
    parts = StratifiedKFold(min(folds, counts[counts > 1].min()), shuffle=True, random_state=0)
    right = 0
    for fitted, asked in parts.split(vectors, names):
        probe = LinearProbe.fit(vectors[fitted], names[fitted], c=c)
        right += int((probe.predict(vectors[asked]) == names[asked]).sum())
    return right / len(names)


def tuned_svm(
    vectors: Vectors,
    labels: Shaped[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"],
    *,
    among: Sequence[float] = (0.001, 0.01, 0.1),
    folds: int = 3,
) -> LinearProbe:
    """A linear SVM whose C is the best of ``among`` in cross-validation over ``groups``.

    Of equals the strongest regularisation is taken. No group is on both sides of a fold.
    """
    from sklearn.model_selection import GroupKFold

    parts = list(GroupKFold(folds).split(vectors, groups=groups))

    def right(c: float) -> int:
        fitted = [LinearProbe.fit(vectors[a], labels[a], kind="svm", c=c) for a, _ in parts]
        named = zip(fitted, parts, strict=True)
        return sum(int((probe.predict(vectors[b]) == labels[b]).sum()) for probe, (_, b) in named)

    return LinearProbe.fit(vectors, labels, kind="svm", c=max(sorted(among), key=right))


@dataclass(frozen=True)
class RidgeProbe:
    """Ridge regression on standardised embeddings, kept as arrays; its penalty is chosen by
    leave-one-out error on the fitting rows.
    """

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    weights: Float[np.ndarray, " d"]
    bias: Float[np.ndarray, ""]

    @classmethod
    def fit(cls, vectors: Vectors, values: Float[np.ndarray, " m"]) -> "RidgeProbe":
        """Fit on embeddings with a number each; rows whose number is missing are left out."""
        from sklearn.linear_model import RidgeCV

        if len(values) != len(vectors):
            raise InputError(f"{len(values)} values for {len(vectors)} items; expected one an item")
        known = np.isfinite(values)
        if known.sum() < 3:
            raise InputError(f"{known.sum()} known values to fit on; expected at least 3")
        rows = vectors[known].astype(np.float64)
        mean, spread = rows.mean(0), rows.std(0)
        scale = np.where(spread > 1e-9, spread, 1.0)
        model = RidgeCV(np.logspace(-2, 4, 13)).fit((rows - mean) / scale, values[known])
        weights = np.asarray(model.coef_, np.float64)
        return cls(mean, scale, weights, np.asarray(model.intercept_))

    def regress(self, vectors: Vectors) -> Float[np.ndarray, " n"]:
        """The value of each row."""
        _need_width(vectors, self.mean)
        return ((vectors - self.mean) / self.scale) @ self.weights + self.bias

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(
            {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": self.bias}
        )

    @classmethod
    def restore(cls, learnt: Learnt) -> "RidgeProbe":
        """The probe that `learnt` described."""
        mean, scale, weights = (array(learnt.arrays, n, 1) for n in ("mean", "scale", "weights"))
        demand(len(mean) == len(scale) == len(weights), "probe: parts that do not fit")
        return cls(mean, scale, weights, array(learnt.arrays, "bias", 0))


def _need_width(vectors: Vectors, mean: Float[np.ndarray, " d"]) -> None:
    if vectors.shape[1] != len(mean):
        raise InputError(
            f"vectors of {vectors.shape[1]} numbers; expected {len(mean)}, as in the probe's fit"
        )


def knn_predict(
    bank: Vectors,
    labels: Shaped[np.ndarray, " n"],
    queries: Float[np.ndarray, "m d"],
    k: int = 20,
) -> Shaped[np.ndarray, " m"]:
    """The commonest label among the ``k`` nearest by cosine; the nearer vote breaks ties."""
    _, found = nearest(torch.from_numpy(bank), torch.from_numpy(queries), k, metric="cosine")
    classes, codes = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(queries), len(classes)))
    near = codes[found.numpy()]
    for place in range(k):  # nearer votes weigh a little more: a tie goes to the nearest
        votes[np.arange(len(queries)), near[:, place]] += 1 + 1e-6 * (k - place)
    return classes[votes.argmax(1)]
