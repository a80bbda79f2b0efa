"""Two axes to look at embeddings along: deterministic, and the same for what comes later."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Axes:
    """The two principal axes of some vectors.

    Attributes:
        centre: their mean.
        axes: the two directions of the largest variance, the sign of each such that its largest
            component is positive.
        explained: the share of the variance along them.
    """

    centre: Float[np.ndarray, " e"]
    axes: Float[np.ndarray, "2 e"]
    explained: float

    @classmethod
    def of(cls, vectors: Float[np.ndarray, "n e"]) -> "Axes":
        """The axes of some vectors; of fewer than three, or without spread, what can be had."""
        if len(vectors) == 0:
            return cls(np.zeros(vectors.shape[1]), np.zeros((2, vectors.shape[1])), 0.0)
        centre = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - centre
        variances, directions = np.linalg.eigh(centred.T @ centred)
        axes = np.zeros((2, vectors.shape[1]))
        axes[: min(vectors.shape[1], 2)] = directions.T[::-1][:2]
        signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
        total = float(variances.sum())
        explained = float(variances[-2:].sum()) / total if total > 0 else 0.0
        return cls(centre, axes * np.where(signs == 0, 1, signs)[:, None], explained)

    def __call__(self, vectors: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "n 2"]:
        """The place of each vector."""
        if len(vectors) == 0:
            return np.empty((0, 2))
        return (vectors - self.centre) @ self.axes.T


def unit(vectors: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "n e"]:
    """Vectors at length 1; a zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float64)
