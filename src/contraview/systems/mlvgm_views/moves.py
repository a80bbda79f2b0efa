"""How the latents of an anchor become those of its positive: by noise, or along a learnt walk."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from contraview.core.config import Config
from contraview.frameworks.generators import Latents
from contraview.networks.fresh import fresh


class MoveConfig(Config):
    """How far each level of latents may move, and how."""

    kind: Literal["random", "learned"] = Field(
        "random",
        description="random: noise; learned: a residual walk that lowers what views tell of one "
        "another, one a level",
    )
    sizes: tuple[float, ...] = Field(
        (0.0, 0.8),
        min_length=1,
        description="deviation of the noise on each level, coarsest first; 0: the level stays, "
        "of learned walks as well; paper .2, .1, .8, .8 of StyleGAN's four groups",
    )
    truncation: float = Field(
        2.0, gt=0, description="anchors and noise lie within so many deviations; paper 2 and .9"
    )
    hidden: int = Field(32, ge=1, description="hidden width of a walk")


def truncated_normal(
    n: int, width: int, truncation: float, generator: torch.Generator
) -> Float[Tensor, "n width"]:
    """Standard normal numbers, drawn anew where they would lie beyond ``truncation``."""
    inside = math.erf(truncation / math.sqrt(2))
    drawn = torch.rand(n, width, generator=generator, device=generator.device, dtype=torch.float64)
    normal = torch.erfinv((2 * drawn - 1) * inside) * math.sqrt(2)
    return normal.clamp(-truncation, truncation).float()


def anchors(
    widths: tuple[int, ...], n: int, truncation: float, generator: torch.Generator
) -> Latents:
    """Latents of ``n`` new images."""
    return tuple(truncated_normal(n, width, truncation, generator) for width in widths)


class Move(nn.Module):
    """From latents to those of a positive; this one leaves them as they are."""

    def forward(self, latents: Latents, generator: torch.Generator) -> Latents:  # noqa: ARG002
        """The moved latents."""
        return latents


class Noise(Move):
    """z + s e with truncated normal e, a deviation s a level."""

    def __init__(self, sizes: tuple[float, ...], truncation: float) -> None:
        super().__init__()
        self.sizes, self.truncation = sizes, truncation

    def forward(self, latents: Latents, generator: torch.Generator) -> Latents:
        """The latents with noise on."""
        return tuple(
            z + size * truncated_normal(len(z), z.shape[1], self.truncation, generator)
            if size
            else z
            for z, size in zip(latents, self.sizes, strict=True)
        )


class Walks(Move):
    """z + W(z) with two layers W for each level that may move; nearly still before it is learnt."""

    def __init__(
        self, widths: tuple[int, ...], hidden: int, moving: tuple[bool, ...], seed: int
    ) -> None:
        super().__init__()
        self.moving = moving
        self.walks = nn.ModuleList(
            fresh(lambda width=width: _walk(width, hidden), seed, "walk", level)
            for level, width in enumerate(widths)
        )

    def forward(self, latents: Latents, generator: torch.Generator) -> Latents:  # noqa: ARG002
        """The latents one step along their walks."""
        return tuple(
            z + walk(z) if moves else z
            for z, walk, moves in zip(latents, self.walks, self.moving, strict=True)
        )


def _walk(width: int, hidden: int) -> nn.Module:
    last = nn.Linear(hidden, width)
    nn.init.normal_(last.weight, std=1e-3)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), last)


def displacement(before: Latents, after: Latents) -> Float[Tensor, ""]:
    """The mean length of the move, over all levels together."""
    squares = [(b - a).square().sum(1) for b, a in zip(before, after, strict=True)]
    return torch.stack(squares).sum(0).sqrt().mean()
