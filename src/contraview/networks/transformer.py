"""The transformer encoder that text, sequences, patches, points and series share."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import dropout2d, scaled_dot_product_attention

Pooling = Literal["cls", "mean", "padded_mean"]


class Block(nn.Module):
    """Self-attention and a GELU perceptron, each normalised before and added to its input."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        hidden: int,
        dropout: float,
        drop_path: float = 0.0,
        drophead: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.drop_path, self.drophead = drop_path, drophead
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(
        self, tokens: Float[Tensor, "n t d"], real: Bool[Tensor, "n t"] | None = None
    ) -> Float[Tensor, "n t d"]:
        """One layer; tokens that are not ``real`` are not attended to."""
        n, t, d = tokens.shape
        qkv = self.qkv(self.norm_attention(tokens)).view(n, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if real is None else real[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        if self.drophead:
            mixed = dropout2d(mixed, self.drophead, self.training)  # a map [t, d / heads] a head
        mixed = mixed.transpose(1, 2).reshape(n, t, d)
        tokens = tokens + self._kept(self.drop(self.out(mixed)))
        return tokens + self._kept(self.drop(self.mlp(self.norm_mlp(tokens))))

    def _kept(self, branch: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """In training, the branch left out for a random part of the samples (Huang et al. 2016)."""
        if not self.drop_path or not self.training:
            return branch
        keep = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep) / keep


class Transformer(nn.Module):
    """Pre-norm blocks and a last normalisation; embedding tokens and positions is the caller's.

    Args:
        width: of a token.
        depth: blocks.
        heads: attention heads; they divide ``width``.
        hidden: width of the perceptrons; four times ``width`` by default.
        dropout: after attention, in the perceptrons, and on the attention weights.
        drop_path: chance that the last block's branches are left out for a sample; from zero at
            the first block it rises in equal steps.
        drophead: chance that an attention head is left out, the others scaled up (Zhou et al.
            2020, arXiv 2004.13342).
    """

    def __init__(
        self,
        width: int,
        *,
        depth: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        drophead: float = 0.0,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(
                width,
                heads,
                hidden=hidden or 4 * width,
                dropout=dropout,
                drop_path=drop_path * i / max(depth - 1, 1),
                drophead=drophead,
            )
            for i in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        tokens: Float[Tensor, "n t d"],
        real: Bool[Tensor, "n t"] | None = None,
        places: Float[Tensor, "n t d"] | None = None,
    ) -> Float[Tensor, "n t d"]:
        """The tokens in context; ``places`` are added before every block, as Point-MAE does."""
        for block in self.blocks:
            tokens = block(tokens if places is None else tokens + places, real)
        return self.norm(tokens)


def pooled(
    tokens: Float[Tensor, "n t d"], real: Bool[Tensor, "n t"] | None, pooling: Pooling
) -> Float[Tensor, "n d"]:
    """One vector a sequence: its first token, the mean of its real tokens, or of all positions.

    ``padded_mean`` also averages over padding, as Mirror-BERT's official "mean" does, so a vector
    depends on how far its batch was padded; it is there for comparison.
    """
    if pooling == "cls":
        return tokens[:, 0]
    if pooling == "padded_mean" or real is None:
        return tokens.mean(1)
    weights = real.to(tokens.dtype)[:, :, None]
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)


def sinusoidal(positions: int, width: int) -> Float[Tensor, "t d"]:
    """Fixed position vectors (Vaswani et al. 2017, arXiv 1706.03762, section 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
