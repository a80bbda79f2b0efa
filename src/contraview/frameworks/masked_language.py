"""Masked language modelling: say which token was hidden (BERT, arXiv 1810.04805, section 3.1)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.objectives.distributed import mean
from contraview.training.step import Loss, Step

KEPT, SWAPPED = 0.1, 0.1
"""Of the hidden places a tenth keep their token and a tenth show another one; the rest the mask."""


@dataclass(frozen=True)
class Masking:
    """Which tokens are hidden, and behind what.

    Attributes:
        mask: the token that hides.
        first: tokens from this number up are ordinary; those below are never hidden nor shown.
        vocabulary: how many tokens there are.
        share: of the ordinary tokens that is hidden.
    """

    mask: int
    first: int
    vocabulary: int
    share: float = 0.15

    def __call__(
        self, ids: Int[Tensor, "n t"], generator: torch.Generator
    ) -> tuple[Int[Tensor, "n t"], Bool[Tensor, "n t"]]:
        """The tokens as the network sees them, and the places that it has to fill.

        At least one place is chosen wherever a row has an ordinary token.
        """
        shape, device = ids.shape, generator.device
        draw = torch.rand(shape, generator=generator, device=device)
        draw = draw.masked_fill(ids < self.first, 2.0)
        places = draw < self.share
        if not places.any() and draw.min() < 1:
            places = draw == draw.min()
        fate = torch.rand(shape, generator=generator, device=device)
        others = torch.randint(
            self.first, self.vocabulary, shape, generator=generator, device=device
        )
        shown = torch.where(fate < SWAPPED, others.to(ids.dtype), self.mask)
        return torch.where(places & (fate < 1 - KEPT), shown, ids), places


def masked_language(
    tokens: Callable[[Int[Tensor, " b"], torch.Generator], Int[Tensor, "b t"]], masking: Masking
) -> Loss:
    """The loss of masked language modelling, for `contraview.training.loop.train`.

    The mean cross entropy over the hidden places of the batch, of all processes; zero where nothing
    is hidden (rows of nothing but special tokens). The model is a
    `contraview.networks.tokens.MaskedLanguageModel`.

    Args:
        tokens: row numbers and a generator in, their tokens out.
        masking: what is hidden.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        ids = tokens(rows, generator).to(generator.device)
        shown, places = masking(ids, generator)
        logits = model(shown, places)
        truth = ids[places].long()
        return Step(mean(cross_entropy(logits, truth, reduction="sum"), len(truth)))

    return loss
