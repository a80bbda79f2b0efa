"""From vectors to images: the other way round than `ConvEncoder`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu


class ConvDecoder(nn.Module):
    """Maps that grow from a coarse one to the size of the image, latents entering on the way.

    Each block repeats the pixels to the next size, convolves over 3 x 3, normalises in groups and
    applies ReLU. The first latent makes the coarsest map, by a linear layer; each further one makes
    what is added to the map of the next finer block before it grows, so that it decides on ever
    smaller details (Zhao, Song, Ermon 2017, arXiv 1702.08396, section 4.2).

    Args:
        latents: widths of the latents, coarsest first; at most one a block.
        shape: channels, height and width of the images.
        widths: channels of the maps, finest first, as the encoder's; multiples of 4.
    """

    def __init__(
        self, latents: Sequence[int], shape: tuple[int, int, int], widths: Sequence[int]
    ) -> None:
        super().__init__()
        channels, height, width = shape
        sizes = [(height, width)]
        for _ in widths:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self.sizes = sizes[::-1]
        maps = [*widths[::-1], widths[0]]
        self.enter = nn.ModuleList(
            nn.Linear(latent, maps[level] * self.sizes[level][0] * self.sizes[level][1])
            for level, latent in enumerate(latents)
        )
        self.convs = nn.ModuleList(
            nn.Conv2d(maps[i], maps[i + 1], 3, padding=1, bias=False) for i in range(len(widths))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(min(8, each // 4), each) for each in maps[1:])
        self.last = nn.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, latents: Sequence[Float[Tensor, "n _"]]) -> Float[Tensor, "n c h w"]:
        """Logits of the pixels."""
        maps = latents[0].new_zeros(1)
        for block, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if block < len(latents):
                entered = self.enter[block](latents[block]).unflatten(1, (-1, *self.sizes[block]))
                maps = maps + entered if block else relu(entered)
                maps = maps.contiguous(memory_format=torch.channels_last)
            maps = interpolate(maps, self.sizes[block + 1], mode="nearest-exact")
            maps = relu(norm(conv(maps)))
        return self.last(maps)
