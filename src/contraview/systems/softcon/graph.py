"""SoftCon as a graph: bands in the unit they were recorded in, brought to 8 bits inside."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from contraview.core.graph import Graph, Port
from contraview.frameworks.images.graph import FromPixels, drawn_pixels, numbered
from contraview.modalities.images.bands import Bands, BandScale, read_bands

BANDS: Final = "bands in the unit they were recorded in (bands, height, width), of the fit's size"
BEYOND: Final = 0.1
"""Held images reach beyond the range of a band by this share of it."""


class Scaled(nn.Module):
    """`BandScale` as a network, in double precision as there."""

    def __init__(self, scale: BandScale) -> None:
        super().__init__()
        self.register_buffer("low", torch.from_numpy(scale.low).double()[:, None, None])
        self.register_buffer("high", torch.from_numpy(scale.high).double()[:, None, None])

    def forward(self, values: Float64[Tensor, "n c h w"]) -> Float64[Tensor, "n c h w"]:
        """0 to 255, fractions dropped."""
        low, high = self.get_buffer("low"), self.get_buffer("high")
        return (255 * ((values - low) / (high - low))).clamp(0, 255).floor()


def band_graph(plain: Graph, shape: tuple[int, int, int], scale: BandScale) -> Graph:
    """``plain``, which takes 8 bits, for bands in their own unit."""
    inner = plain.network
    assert isinstance(inner, FromPixels)

    def held(count: int, seed: int) -> Bands:
        share = drawn_pixels(count, shape, seed) / 255 * (1 + 2 * BEYOND) - BEYOND
        low, high = scale.low[:, None, None], scale.high[:, None, None]
        return Bands(low + share * (high - low), numbered(count))

    def feed(bands: Any) -> dict[str, np.ndarray]:
        return {"bands": read_bands(bands).pixels.astype(np.float64)}

    return replace(
        plain,
        network=FromPixels(inner.vectors, inner.readout, Scaled(scale)),
        inputs=(Port("bands", "float64", ("n", *shape), BANDS),),
        feed=feed,
        held=held,
    )
