"""Encoders of images as graphs: pixels in, vectors and classes out."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor, nn

from contraview.core.graph import Graph, Port
from contraview.core.seeds import numpy_generator
from contraview.modalities.images.data import Images

FIT = (
    "pixels 0 to 255 (channels, height, width; of three channels red, green, blue), brought to "
    "this size by the caller as for the fit"
)


class FromPixels(nn.Module):
    """8-bit pixels as numbers from 0 to 1, the vector of each image, and what is read off it.

    Args:
        vectors: makes a vector of each image.
        readout: classes from vectors, where the model has them.
        scale: makes 8 bits of pixels in another unit, where they come in one.
    """

    def __init__(
        self, vectors: nn.Module, readout: nn.Module | None, scale: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.vectors, self.readout, self.scale = vectors, readout, scale
        self.eval()

    def forward(self, pixels: Shaped[Tensor, "n c h w"]) -> tuple[Tensor, ...]:
        """Vectors, and probabilities where there is a readout."""
        bits = pixels if self.scale is None else self.scale(pixels)
        vectors = self.vectors(bits.float() / 255)
        return (vectors,) if self.readout is None else (vectors, self.readout(vectors))


class Softmax(nn.Module):
    """Probabilities of a classifier's scores, in double precision."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, vectors: Shaped[Tensor, "n d"]) -> Shaped[Tensor, "n c"]:
        """The probability of each class."""
        return self.classifier(vectors).double().softmax(1)


def image_graph(
    shape: tuple[int, int, int],
    vectors: nn.Module,
    readout: nn.Module | None = None,
    classes: Sequence[str] = (),
    *,
    several: bool = False,
    meaning: str = "one vector an image, not normalised",
) -> Graph:
    """The graph of an encoder of 8-bit images of ``shape``, and of what reads classes off it."""
    network = FromPixels(deepcopy(vectors).cpu(), deepcopy(readout))
    return Graph(
        network=network,
        inputs=(Port("pixels", "uint8", ("n", *shape), FIT),),
        outputs=image_outputs(shape, network, classes, meaning, several=several),
        feed=lambda images: {"pixels": np.ascontiguousarray(images.pixels)},
        held=lambda count, seed: Images(drawn_pixels(count, shape, seed), numbered(count)),
        facts={"classes": list(classes)} if classes else {},
    )


@torch.no_grad()
def image_outputs(
    shape: tuple[int, int, int],
    network: nn.Module,
    classes: Sequence[str],
    meaning: str,
    *,
    several: bool,
) -> Mapping[str, Port]:
    """The ports of vectors and, where there are any, of classes."""
    found = network(torch.zeros(1, *shape, dtype=torch.uint8))
    outputs = {"embed": Port("embedding", "float32", ("n", found[0].shape[1]), meaning)}
    if classes:
        sums = "each class for itself" if several else "they sum to 1"
        double = found[1].dtype == torch.float64
        outputs["classify"] = Port(
            "probability",
            "float64" if double else "float32",
            ("n", len(classes)),
            f"of each of `classes`; {sums}",
        )
    return outputs


def drawn_pixels(
    count: int, shape: tuple[int, int, int], seed: int
) -> UInt8[np.ndarray, "n c h w"]:
    """Images to compare on: patches of one colour, of another size in each image, under noise."""
    draw, (channels, height, width) = numpy_generator(seed, "held images"), shape
    images = np.empty((count, *shape), np.uint8)
    for i in range(count):
        cell = 1 + i % 7
        patches = draw.integers(0, 256, (channels, height // cell + 1, width // cell + 1))
        whole = patches.repeat(cell, 1).repeat(cell, 2)[:, :height, :width]
        images[i] = np.clip(whole + draw.normal(0, i % 5 * 4, shape), 0, 255)
    return images


def numbered(count: int) -> Any:
    """A table of so many rows that says no more than their numbers."""
    return pl.DataFrame({"number": np.arange(count)})
