"""Two views of each row, one network, an objective on the two embeddings (SimCLR and its kin)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.training.grad_cache import in_chunks
from contraview.training.step import Loss, Step

Views = Callable[[Int[Tensor, " b"], torch.Generator], tuple[Tensor, Tensor]]
"""Row numbers and a generator in, two batches of views out, row for row."""
Objective = Callable[[Float[Tensor, "b d"], Float[Tensor, "b d"]], Float[Tensor, ""]]
"""The embeddings of both views in, the loss out."""


def two_view(views: Views, objective: Objective, chunk: int | None = None) -> Loss:
    """The loss of a two-view method, for `contraview.training.loop.train`.

    Both views go through the network, encoder and head, in one concatenated pass where their
    shapes agree, in two where they do not (a fragment and a read). Gradients flow through both.

    Args:
        views: makes the two views of some rows; every draw comes from its generator.
        objective: such as `nt_xent`.
        chunk: rows at a time through the network, see `in_chunks`; None: all at once.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        def passes(one: Tensor, other: Tensor) -> tuple[Tensor, ...]:
            if one.shape[1:] == other.shape[1:]:
                return model(torch.cat([one, other])).split([len(one), len(other)])
            return model(one), model(other)

        (first, second), after = in_chunks(model, passes, views(rows, generator), chunk)
        loss = objective(first, second)
        return Step(loss, embeddings=first, positives=second, after_backward=after)

    return loss
