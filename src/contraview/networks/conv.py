"""Small convolutional encoders for signals and images."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Blocks of convolution, group normalisation and ReLU, then the mean over positions.

    Each block halves the resolution with a stride of two: on a CPU less than half the cost of
    pooling. Group normalisation has no batch statistics, so a row's embedding depends on the row
    alone and one process gives what two give. The last width is the width of the embedding.

    Args:
        channels: of the input.
        widths: of the blocks, each a multiple of 4.
        dimensions: 1 for signals [n, c, t], 2 for images [n, c, h, w].
        kernel: size of each convolution, odd.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], *, dimensions: int, kernel: int = 3
    ) -> None:
        super().__init__()
        conv = {1: nn.Conv1d, 2: nn.Conv2d}[dimensions]
        layers: list[nn.Module] = []
        for inputs, width in zip((channels, *widths), widths, strict=False):
            layers += [
                conv(inputs, width, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.GroupNorm(min(8, width // 4), width),
                nn.ReLU(),
            ]
        self.blocks = nn.Sequential(*layers)
        self.outputs = widths[-1]

    def features(self, items: Float[Tensor, "n c *positions"]) -> Float[Tensor, "n d *fewer"]:
        """The map of the last block, before the mean."""
        return self.blocks(items)

    def forward(self, items: Float[Tensor, "n c *positions"]) -> Float[Tensor, "n d"]:
        """One vector an item."""
        return self.features(items).flatten(2).mean(2)
