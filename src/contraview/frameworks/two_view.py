"""Two views of each row, one network, an objective on the two embeddings (SimCLR and its kin)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.training.step import Loss, Step

Views = Callable[[Int[Tensor, " b"], torch.Generator], tuple[Tensor, Tensor]]
"""Row numbers and a generator in, two batches of views out, row for row."""
Objective = Callable[[Float[Tensor, "b d"], Float[Tensor, "b d"]], Float[Tensor, ""]]
"""The embeddings of both views in, the loss out."""


def two_view(views: Views, objective: Objective) -> Loss:
    """The loss of a two-view method, for `contraview.training.loop.train`.

    Both views go through the network, encoder and head, in one concatenated pass where their
    shapes agree, in two where they do not (a fragment and a read). Gradients flow through both.

    Args:
        views: makes the two views of some rows; every draw comes from its generator.
        objective: such as `nt_xent`.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        one, other = views(rows, generator)
        if one.shape[1:] == other.shape[1:]:
            first, second = model(torch.cat([one, other])).split([len(one), len(other)])
        else:
            first, second = model(one), model(other)
        return Step(objective(first, second), embeddings=first, positives=second)

    return loss
