"""Images of five bands that fit in a test: stripes of up to three directions over each other."""

import numpy as np

from contraview.core.seeds import numpy_generator
from contraview.modalities.images.bands import read_bands

NAMES = ("across", "down", "slanted")


def hot(count: int = 60) -> np.ndarray:
    """Which directions each image has: every set but the empty one, in turn."""
    return np.array([[(i % 7 + 1) >> k & 1 for k in range(3)] for i in range(count)], dtype=bool)


def labels(count: int = 60) -> np.ndarray:
    """The directions of each image, as text."""
    return np.array([";".join(np.array(NAMES)[row]) for row in hot(count)])


def values(count: int = 60, size: int = 16, seed: int = 0) -> np.ndarray:
    """[n, 5, size, size] in thousands, as a satellite's reflectances are."""
    g = numpy_generator(seed, "tiny bands")
    down, across = np.mgrid[:size, :size]
    places = (across, down, (across + down) / np.sqrt(2))
    drawn = []
    for row in hot(count):
        waves = [np.sin(2 * np.pi * (places[k] / 5 + g.random())) for k in np.flatnonzero(row)]
        field = sum(waves) * g.uniform(0.8, 1.2, (5, 1, 1)) + g.normal(0, 0.05, (5, size, size))
        drawn.append(3000 + 500 * field)
    return np.stack(drawn).astype(np.uint16)


def data():
    """The tiny images, as `fit` takes them."""
    return read_bands({"x": values(), "cover": labels()}, labels="cover")
