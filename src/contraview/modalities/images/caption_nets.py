"""Encoders of captions."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from contraview.networks.transformer import Transformer, pooled, sinusoidal


class CaptionEncoder(nn.Module):
    """A word is the mean of its trigrams' vectors, a caption the mean of its words in context.

    Args:
        buckets: of the hashed trigrams.
        width: of a word's vector, and of the output.
        depth: transformer blocks between words and mean; none is a bag of trigrams, in which the
            order of words means nothing.
        heads: of the transformer.
    """

    def __init__(self, buckets: int, width: int, *, depth: int = 0, heads: int = 4) -> None:
        super().__init__()
        self.grams = nn.Embedding(buckets, width, padding_idx=0)
        nn.init.normal_(self.grams.weight, std=width**-0.5)
        with torch.no_grad():
            self.grams.weight[0] = 0
        self.context = Transformer(width, depth=depth, heads=heads) if depth else None
        self.outputs = width

    def forward(self, tokens: Int64[Tensor, "n w g"]) -> Float[Tensor, "n d"]:
        """One vector a caption; a caption without words is the zero vector in a bag."""
        present = tokens > 0
        real = present.any(2)
        words = self.grams(tokens).sum(2) / present.sum(2).clamp(min=1)[:, :, None]
        if self.context is not None:
            places = sinusoidal(tokens.shape[1], words.shape[2]).to(words)
            attended = real.clone()
            attended[:, 0] |= ~real.any(1)  # attention over nothing is not a number
            words = self.context(words + places, attended)
        return pooled(words, real, "mean")
