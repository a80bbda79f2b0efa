"""One tower a modality, one space for all: what CLIP and its kin are made of."""

import math
from collections.abc import Mapping
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.objectives.unit import unit

LARGEST_SCALE: Final = 100.0
"""CLIP keeps the scale of its cosines at or below this."""


class Towers(nn.Module):
    """Networks that map each modality into one space, and the learned scale of its cosines.

    The scale is exp of a parameter, from 1 to `LARGEST_SCALE`: `clamp_scale` puts it back there
    after each step, as CLIP does (the official code clips the parameter to [0, ln 100]).

    Args:
        towers: a network for each modality, by name, all with the same width of output.
        scale: to begin with; CLIP's 1 / 0.07.
    """

    def __init__(self, towers: Mapping[str, nn.Module], scale: float = 1 / 0.07) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(dict(towers))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(
        self, items: Mapping[str, Tensor]
    ) -> tuple[dict[str, Float[Tensor, "n d"]], Float[Tensor, ""]]:
        """Unit vectors of the modalities that are given, and the scale."""
        vectors = {name: self.embed(name, batch) for name, batch in items.items()}
        return vectors, self.log_scale.exp()

    def embed(self, modality: str, batch: Tensor) -> Float[Tensor, "n d"]:
        """Unit vectors of one modality."""
        return unit(self.towers[modality](batch))


@torch.no_grad()
def clamp_scale(model: nn.Module, done: int) -> None:  # noqa: ARG001 what `train` calls after a step
    """Put the scale of `Towers` back between 1 and `LARGEST_SCALE`."""
    assert isinstance(model, Towers)
    model.log_scale.clamp_(0.0, math.log(LARGEST_SCALE))
