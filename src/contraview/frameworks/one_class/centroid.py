"""Minus the cosine to the mean embedding: CLAN's score, one dot product a row."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand
from contraview.frameworks.one_class.rows import need_fit_rows, need_rows

TINY = 1e-12


@dataclass(frozen=True)
class Centroid:
    """The direction benign rows lie in.

    The mean is taken of the embeddings as they are, not of unit vectors, as the official code of
    CLAN does (github.com/jackwilkie/CLAN); a long embedding therefore counts more.

    Attributes:
        mean: the mean of the benign embeddings.
        kappa: concentration of the benign directions under a von Mises-Fisher law, the larger the
            tighter. A diagnostic: no score depends on it, and the loss of CLAN has no such term.
    """

    mean: Float[np.ndarray, " d"]
    kappa: float

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "n d"]) -> "Centroid":
        """Learn from benign embeddings."""
        need_fit_rows(rows, fewest=1)
        exact = rows.astype(np.float64)
        mean = exact.mean(axis=0)
        if np.linalg.norm(mean) < TINY:
            raise InputError("benign embeddings cancel out: their mean has no direction")
        return cls(mean, _concentration(_unit(exact)))

    def score(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Minus the cosine to the centre, from -1 (benign direction) to 1; 0 for a row of zeros."""
        need_rows(rows, len(self.mean))
        return -(_unit(rows.astype(np.float64)) @ (self.mean / np.linalg.norm(self.mean)))

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(arrays={"mean": self.mean, "kappa": np.array(self.kappa)})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Centroid":
        """The centroid that `learnt` described."""
        mean = array(learnt.arrays, "mean", 1)
        demand(np.linalg.norm(mean) >= TINY, "centroid: a mean without direction")
        return cls(mean, float(learnt.arrays["kappa"]))


def _unit(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)


def _concentration(units: Float[np.ndarray, "n d"]) -> float:
    """The estimate R (d - R^2) / (1 - R^2) of kappa, R the length of the mean unit vector.

    Banerjee, Dhillon, Ghosh and Sra, Clustering on the Unit Hypersphere using von Mises-Fisher
    Distributions, JMLR 6 (2005). Infinite at R = 1.
    """
    length = float(np.linalg.norm(units.mean(axis=0)))
    room = 1 - length**2
    return length * (units.shape[1] - length**2) / room if room > TINY else float("inf")
