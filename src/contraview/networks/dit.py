"""A diffusion transformer: tokens of image patches, steered by a vector in every layer."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from contraview.networks.transformer import sinusoidal


class SteeredBlock(nn.Module):
    """Self-attention and a GELU perceptron whose normalisations are shifted, scaled and gated.

    AdaLN-Zero (Peebles and Xie 2023, arXiv 2212.09748, figure 3): a linear layer makes shift, scale
    and gate of both halves from the steering vector. It begins at zero, so each block begins as
    the identity.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )
        self.steer = zeroed(nn.Linear(width, 6 * width))

    def forward(
        self, tokens: Float[Tensor, "n t d"], steering: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n t d"]:
        """One layer."""
        n, t, d = tokens.shape
        a, b, gate, c, e, mlp_gate = self.steer(steering)[:, None].chunk(6, dim=2)
        qkv = self.qkv(self.norm(tokens) * (1 + b) + a).view(n, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d)
        tokens = tokens + gate * self.out(mixed)
        return tokens + mlp_gate * self.mlp(self.norm(tokens) * (1 + e) + c)


class DiT(nn.Module):
    """Predicts the noise in an image from the image, the time and, where given, a condition.

    Args:
        channels: of the images.
        size: side of the images in pixels.
        condition: dimensions of the condition vector.
        patch: side of the squares that become tokens; it divides ``size``.
        width: of a token.
        depth: blocks.
        heads: they divide ``width``.
        outputs: channels to predict; twice ``channels`` where the variance is learnt too.

    The vector that stands for "no condition" is learnt, not zero, as in PixCell's official code.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        *,
        condition: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        outputs: int,
    ) -> None:
        super().__init__()
        self.patch, self.outputs = patch, outputs
        self.side = size // patch
        self.tokens = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(grid_positions(self.side, width), requires_grad=False)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.condition = nn.Sequential(
            nn.Linear(condition, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.nothing = nn.Parameter(torch.randn(condition) / condition**0.5)
        self.blocks = nn.ModuleList(SteeredBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.steer = zeroed(nn.Linear(width, 2 * width))
        self.last = zeroed(nn.Linear(width, patch * patch * outputs))

    def forward(
        self,
        images: Float[Tensor, "n c s s"],
        times: Float[Tensor, " n"],
        conditions: Float[Tensor, "n e"] | None = None,
        dropped: Tensor | None = None,
    ) -> Float[Tensor, "n o s s"]:
        """The prediction.

        Args:
            images: noisy.
            times: from 0 (clean) to 1000 (noise alone), whatever the number of steps.
            conditions: a vector each; None for no condition.
            dropped: which rows go without theirs, True for those.
        """
        n = len(images)
        if conditions is None:
            conditions = self.nothing.expand(n, -1)
        elif dropped is not None:
            conditions = torch.where(dropped[:, None], self.nothing, conditions)
        steering = self.time(time_features(times, self.places.shape[1]))
        steering = nn.functional.silu(steering + self.condition(conditions))
        tokens = self.tokens(images).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            tokens = block(tokens, steering)
        shift, scale = self.steer(steering)[:, None].chunk(2, dim=2)
        squares = self.last(self.norm(tokens) * (1 + scale) + shift)
        squares = squares.view(n, self.side, self.side, self.patch, self.patch, self.outputs)
        size = self.side * self.patch
        return squares.permute(0, 5, 1, 3, 2, 4).reshape(n, self.outputs, size, size)


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer with weights and offsets of zero."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def time_features(times: Float[Tensor, " n"], width: int) -> Float[Tensor, "n d"]:
    """Sines and cosines of real times (Vaswani et al. 2017, section 3.5)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=times.device) * (-math.log(10_000.0) / half))
    angles = times.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def grid_positions(side: int, width: int) -> Float[Tensor, "t d"]:
    """Fixed position vectors of a square of tokens: half for the row, half for the column."""
    line = sinusoidal(side, width // 2)
    rows = line[:, None].expand(-1, side, -1)
    columns = line[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
