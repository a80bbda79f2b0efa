"""The U-Net: an encoder that keeps its maps at every resolution, a decoder that uses them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

Norm = Literal["batch", "group"]


def double_conv(inputs: int, outputs: int, *, dimensions: int, norm: Norm) -> nn.Sequential:
    """Twice: a convolution over 3 places a side, a normalisation, ReLU. Same size out as in."""
    conv = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
    batch = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions]
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        normed = batch(outputs) if norm == "batch" else nn.GroupNorm(min(8, outputs), outputs)
        layers += [conv(width, outputs, 3, padding=1, bias=False), normed, nn.ReLU()]
    return nn.Sequential(*layers)


class UNetEncoder(nn.Module):
    """Double convolutions with max-pooling between them (Ronneberger et al. 2015).

    Args:
        channels: of the input.
        widths: of the levels, finest first; the last is the bottleneck.
        dimensions: 2 for images, 3 for volumes.
        norm: batch normalisation, whose running statistics make the network answer a crop as it
            would answer the same place in a whole image; or group normalisation (widths are
            multiples of 8, or below 8), which needs no batch.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], *, dimensions: int = 2, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            double_conv(inputs, outputs, dimensions=dimensions, norm=norm)
            for inputs, outputs in pairwise((channels, *widths))
        )
        self.pool = {2: nn.MaxPool2d, 3: nn.MaxPool3d}[dimensions](2)
        self.widths = tuple(widths)

    def forward(self, items: Float[Tensor, "n c *positions"]) -> list[Tensor]:
        """The map of each level, finest first; sizes halve from level to level."""
        maps: list[Tensor] = []
        for level in self.levels:
            items = level(self.pool(items) if maps else items)
            maps.append(items)
        return maps


class UNetDecoder(nn.Module):
    """From the bottleneck up: a transposed convolution, the encoder's map beside it, twice conv.

    Args:
        widths: of the encoder's levels, finest first.
        outputs: maps to give.
        dimensions: 2 for images, 3 for volumes.
        norm: as the encoder's.
    """

    def __init__(
        self, widths: Sequence[int], outputs: int, *, dimensions: int = 2, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        up = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dimensions]
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        steps = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(up(low, high, 2, stride=2) for low, high in steps)
        self.levels = nn.ModuleList(
            double_conv(2 * high, high, dimensions=dimensions, norm=norm) for _, high in steps
        )
        self.last = conv(widths[0], outputs, 1)

    def forward(self, maps: Sequence[Tensor]) -> Float[Tensor, "n o *positions"]:
        """Maps at the resolution of the input."""
        items = maps[-1]
        for up, level, skip in zip(self.up, self.levels, reversed(maps[:-1]), strict=True):
            items = level(torch.cat([skip, up(items)], dim=1))
        return self.last(items)


class UNet(nn.Module):
    """Encoder and decoder with skips: maps of the size of the input.

    Any size goes in: an item is padded with its own edge to a multiple of two to the number of
    poolings, and what was padded is cut off again.
    """

    def __init__(self, encoder: UNetEncoder, decoder: UNetDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, items: Float[Tensor, "n c *positions"]) -> Float[Tensor, "n o *positions"]:
        """The decoder's maps."""
        step = 2 ** (len(self.encoder.widths) - 1)
        sizes = items.shape[2:]
        missing = [-size % step for size in sizes]
        if any(missing):
            sides = [amount for each in reversed(missing) for amount in (0, each)]
            items = pad(items, sides, mode="replicate")
        answer = self.decoder(self.encoder(items))
        return answer[(..., *(slice(size) for size in sizes))]
