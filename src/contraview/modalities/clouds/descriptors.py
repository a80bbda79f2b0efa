"""Descriptions of a cloud that nothing has to be learnt for."""

import numpy as np
from jaxtyping import Float

from contraview.core.seeds import numpy_generator

BINS = 32


def shape_distribution(points: Float[np.ndarray, "n p 3"], pairs: int = 4096) -> np.ndarray:
    """D2 of Osada et al. (2002): a histogram of distances between two points of a cloud.

    Distances are divided by their mean, so a cloud's size does not matter; 32 bins from 0 to 3
    means. The same pairs of places are taken in each cloud.
    """
    generator = numpy_generator(0, "shape distribution")
    one, other = generator.integers(points.shape[1], size=(2, pairs))
    apart = np.linalg.norm(points[:, one] - points[:, other], axis=2)
    apart /= np.maximum(apart.mean(1, keepdims=True), 1e-12)
    edges = np.linspace(0, 3, BINS + 1)
    return np.stack([np.histogram(row, edges)[0] / pairs for row in apart])


def box_statistics(points: Float[np.ndarray, "n p 3"]) -> np.ndarray:
    """Nine numbers of a cloud in its own frame: sides of the box, spread and skew along each axis.

    All relative to the longest side of the box, in the axes of the file.
    """
    low, high = points.min(1), points.max(1)
    longest = np.maximum((high - low).max(1), 1e-12)[:, None]
    centred = (points - points.mean(1, keepdims=True)) / longest[:, None]
    spread = centred.std(1)
    skew = (centred**3).mean(1) / np.maximum(spread, 1e-6) ** 3
    return np.concatenate([(high - low) / longest, spread, skew], axis=1)
