"""Encoders of images."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.modalities.images.data import Images
from contraview.networks.conv import ConvEncoder


class Standardise(nn.Module):
    """Takes the mean of each channel away and divides by its spread; both are stored as weights."""

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("spread", torch.ones(1, channels, 1, 1))

    def learn(self, images: Images, most: int = 10_000) -> None:
        """Take mean and spread from the images, from evenly spaced ones where there are many."""
        step = -(-len(images) // most)
        total, squares = torch.zeros(2, images.shape[0], dtype=torch.float64)
        count = 0
        rows = torch.arange(0, len(images), step)
        for part in rows.split(1024):
            pixels = images.batch(part).double()
            total += pixels.sum((0, 2, 3))
            squares += pixels.square().sum((0, 2, 3))
            count += pixels[:, 0].numel()
        mean = total / count
        spread = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean.view_as(self.mean))
        self.spread.copy_(spread.clamp(min=1e-3).view_as(self.spread))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Standardised pixels, in the memory order that convolutions on a CPU prefer."""
        standard = (pixels - self.mean) / self.spread
        return standard.contiguous(memory_format=torch.channels_last)


class Encoder(nn.Module):
    """What makes one vector of an image, from pixels from 0 to 1."""

    outputs: int
    """Width of the vectors."""

    def learn(self, images: Images) -> None:
        """Take from the images what is not trained, such as mean and spread; nothing by default."""


class ImageEncoder(Encoder):
    """A convolutional encoder that takes pixels from 0 to 1.

    Args:
        channels: of the images.
        widths: of the blocks, see `ConvEncoder`; the last one is the width of the embedding.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.network = ConvEncoder(channels, widths, dimensions=2)
        self.outputs = self.network.outputs

    def learn(self, images: Images) -> None:
        """Mean and spread of each channel."""
        self.standardise.learn(images)

    def features(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d y x"]:
        """The map of the last block."""
        return self.network.features(self.standardise(pixels))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        return self.network(self.standardise(pixels))
