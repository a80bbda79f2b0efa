"""Siamese masking: the student sees a part of a view, the teacher all of it."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from contraview.frameworks.images.moco import MoCoConfig, QueueContrast
from contraview.frameworks.images.two_views import Pair
from contraview.modalities.images.nets import ImageEncoder
from contraview.pairing.masks import random_mask


def with_mask(
    pixels: Float[Tensor, "b c h w"], share: float, patch: int, generator: torch.Generator
) -> Float[Tensor, "b c+1 h w"]:
    """The pixels and, as a last channel, 1 where they may be seen and 0 where they are masked.

    Of the patches of ``patch`` pixels a side, cut at the right and below, exactly this share is
    masked, in each image others.
    """
    count, _, height, width = pixels.shape
    rows, columns = -(-height // patch), -(-width // patch)
    hidden = random_mask(count, rows * columns, share, generator).view(count, 1, rows, columns)
    seen = interpolate((~hidden).float(), scale_factor=patch, mode="nearest")
    return torch.cat([pixels, seen[:, :, :height, :width]], 1)


class MaskedContrast(QueueContrast):
    """MoCo's, on views that carry a mask: queries come from what it leaves, keys from everything.

    A masked pixel is the mean of its band, which the encoder sees as zero.
    """

    def __init__(self, encoder: ImageEncoder, config: MoCoConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        self.register_buffer("filling", encoder.standardise.mean.clone())

    def forward(self, one: Float[Tensor, "b k h w"], other: Float[Tensor, "b k h w"]) -> list[Pair]:
        """Each view's masked queries with the teacher's keys of the whole other view."""
        queries = [self.student.network(self.masked(view)) for view in (one, other)]
        with torch.no_grad():
            keys = [self.student.teacher(view[:, :-1]) for view in (one, other)]
        return [Pair(queries[0], keys[1]), Pair(queries[1], keys[0])]

    def masked(self, view: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """What is left of a view."""
        pixels, seen = view[:, :-1], view[:, -1:]
        return torch.where(seen > 0, pixels, self.get_buffer("filling"))
