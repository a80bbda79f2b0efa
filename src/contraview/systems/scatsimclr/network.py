"""A fixed scattering front end and a small trained adapter behind it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder, Standardise
from contraview.systems.scatsimclr.config import ScatSimCLRConfig
from contraview.systems.scatsimclr.scattering import Scattering

LOG_FLOOR = 1e-3
LEARNT_FROM = 1000
"""Images whose maps say what mean and spread are."""


class Block(nn.Module):
    """Two convolutions of 3 x 3 with group normalisation, and the way around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(inputs, outputs), nn.ReLU(), *_convolution(outputs, outputs)
        )
        self.around: nn.Module = nn.Identity()
        if inputs != outputs:
            self.around = nn.Sequential(*_convolution(inputs, outputs, 1))

    def forward(self, maps: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d y x"]:
        """Maps of the same size."""
        return torch.relu(self.around(maps) + self.convolutions(maps))


def _convolution(inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(min(8, outputs // 4), outputs),
    ]


class Adapter(Encoder):
    """One vector from the scattering maps of an image: the only trained part of the encoder.

    Args:
        maps: of an image, over all its channels.
        stem: channels of the first convolution.
        widths: of the residual blocks.
        grid: cells a side that the last maps are averaged to.
        coefficients: how maps are scaled first, see `ScatSimCLRConfig`.
    """

    def __init__(
        self, maps: int, stem: int, widths: Sequence[int], grid: int, coefficients: str
    ) -> None:
        super().__init__()
        self.coefficients = coefficients
        self.standardise = Standardise(maps)
        blocks = [Block(a, b) for a, b in zip((stem, *widths), widths, strict=False)]
        self.network = nn.Sequential(
            *_convolution(maps, stem),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(grid),
            nn.Flatten(),
        )
        self.outputs = widths[-1] * grid**2

    def forward(self, maps: Float[Tensor, "n m y x"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        if self.coefficients == "log":
            maps = (maps.clamp(min=0) + LOG_FLOOR).log()
        return self.network(self.standardise(maps))  # which does nothing until it has learnt


class ScatteringEncoder(Encoder):
    """Pixels through the scattering and the adapter.

    Args:
        shape: channels, height and width of the images.
        config: of the system.
    """

    def __init__(self, shape: tuple[int, int, int], config: ScatSimCLRConfig) -> None:
        super().__init__()
        channels, height, width = shape
        self.scatter = Scattering(height, width, scales=config.scales, turns=config.turns)
        self.adapter = Adapter(
            channels * self.scatter.maps,
            config.stem, config.widths, config.grid, config.coefficients,
        )  # fmt: skip
        self.outputs = self.adapter.outputs

    def learn(self, images: Images) -> None:
        """Mean and spread of each map, where the settings ask for it."""
        if self.adapter.coefficients == "standardised":
            rows = torch.arange(0, len(images), -(-len(images) // LEARNT_FROM))
            maps = self.scatter(images.batch(rows)).double()
            scale = self.adapter.standardise
            scale.mean.copy_(maps.mean((0, 2, 3), keepdim=True))
            scale.spread.copy_(maps.std((0, 2, 3), keepdim=True).clamp(min=1e-6))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        return self.adapter(self.scatter(pixels))
