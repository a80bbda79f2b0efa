"""Images that fit in a test: stripes of three directions, each in its own colour and noise."""

import numpy as np

from contraview.core.seeds import numpy_generator
from contraview.modalities.images.data import read_images

NAMES = ("across", "down", "slanted")


def pixels(count: int = 60, size: int = 16, seed: int = 0) -> np.ndarray:
    """[n, size, size, 3], kind i % 3."""
    g = numpy_generator(seed, "tiny images")
    down, across = np.mgrid[:size, :size]
    places = (across, down, (across + down) / np.sqrt(2))
    drawn = []
    for i in range(count):
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * (places[i % 3] / 5 + g.random()))
        colour = g.uniform(0.4, 1.0, 3)
        drawn.append(np.clip(wave[..., None] * colour + g.normal(0, 0.05, (size, size, 3)), 0, 1))
    return np.stack(drawn)


def labels(count: int = 60) -> np.ndarray:
    """The direction of each image."""
    return np.array(NAMES)[np.arange(count) % 3]


def data():
    """The tiny images, as `fit` takes them."""
    return read_images({"x": pixels(), "kind": labels()}, labels="kind")
