"""The encoder of a model on disk, whatever system it belongs to, as a start for another."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contraview.core.errors import InputError
from contraview.core.learnt import sizes
from contraview.core.model_folder import read_model
from contraview.core.weights import set_weights
from contraview.modalities.images.nets import ImageEncoder

MARK = "standardise.mean"
FIRST = "network.blocks.0.weight"


@dataclass(frozen=True)
class Start:
    """An encoder as a model folder holds it.

    Attributes:
        encoder: with its weights, in training mode.
        widths: of its blocks.
        shape: channels, height and width of the images it was fitted on.
        slug: the system that it is of.
    """

    encoder: ImageEncoder
    widths: tuple[int, ...]
    shape: tuple[int, int, int]
    slug: str


def read_start(folder: Path | str) -> Start:
    """The image encoder in a model folder: of SimCLR, MoCo, SimSiam or any other system.

    It is found by the names of its weights, so that no system has to know another.

    Raises:
        InputError: no model there, or one without an `ImageEncoder`, or with several.
    """
    model = read_model(Path(folder))
    arrays, facts = model.learnt.arrays, model.learnt.facts
    found = [
        name.removesuffix(MARK)
        for name in arrays
        if name.endswith(MARK) and name.removesuffix(MARK) + FIRST in arrays
    ]
    if len(found) != 1 or "shape" not in facts:
        raise InputError(
            f"{folder}: a model of {model.slug} with {len(found) or 'no'} convolutional encoders "
            "of images; expected one, as of simclr, moco or simsiam"
        )
    own = {
        name.removeprefix(found[0]): value
        for name, value in arrays.items()
        if name.startswith(found[0])
    }
    widths = _widths(own)
    channels, height, width = sizes(facts["shape"], 3, "shape")
    encoder = ImageEncoder(channels, widths)
    set_weights(encoder, own)
    return Start(encoder, widths, (channels, height, width), model.slug)


def _widths(weights: dict[str, np.ndarray]) -> tuple[int, ...]:
    """The channels of each block: those of its convolution, in order."""
    convolutions = {
        int(name.split(".")[2]): len(value)
        for name, value in weights.items()
        if value.ndim == 4 and name.startswith("network.")
    }
    return tuple(convolutions[place] for place in sorted(convolutions))
