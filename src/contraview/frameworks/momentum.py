"""A student compared with its own moving average (MoCo, BYOL and their kin)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.frameworks.two_view import Views
from contraview.objectives.distributed import gather
from contraview.pairing.ema import Momentum, follow, teacher_of
from contraview.pairing.queue import KeyQueue
from contraview.training.grad_cache import in_chunks
from contraview.training.step import Loss, Step

Objective = Callable[
    [Float[Tensor, "b d"], Float[Tensor, "b d"], Float[Tensor, "k d"] | None], Float[Tensor, ""]
]
"""Queries, keys of the teacher without gradient, keys of the queue if there is one; a loss out."""


class Student(nn.Module):
    """A network, its teacher, and what may stand beside them; one module, one checkpoint.

    Args:
        network: encoder and head.
        predictor: on the student's side alone (BYOL, MoCo v3); none by default.
        queue: earlier keys (MoCo); none by default.
    """

    def __init__(
        self, network: nn.Module, predictor: nn.Module | None = None, queue: KeyQueue | None = None
    ) -> None:
        super().__init__()
        self.network, self.teacher = network, teacher_of(network)
        self.predictor = predictor or nn.Identity()
        self.queue = queue

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries of both views, and the teacher's keys of both, without gradient."""
        first, second = (self.predictor(self.network(view)) for view in (one, other))
        with torch.no_grad():
            keys = self.teacher(one), self.teacher(other)
        return first, second, *keys


def following(momentum: Momentum) -> Callable[[nn.Module, int], None]:
    """What moves a `Student`'s teacher after each step: `train`'s ``after_step``."""

    def move(model: nn.Module, done: int) -> None:
        assert isinstance(model, Student)
        follow(model.teacher, model.network, momentum(done) if callable(momentum) else momentum)

    return move


def momentum_loss(
    views: Views, objective: Objective, queue: KeyQueue | None = None, chunk: int | None = None
) -> Loss:
    """The loss of a momentum method, symmetric over the two views.

    Each view's queries are compared with the teacher's keys of the other view; the mean of both
    is the loss. Keys of the second view, of all processes, enter the queue once they have been
    compared. ``chunk`` rows at a time pass through the network, see `in_chunks`.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        found, after = in_chunks(model, model, views(rows, generator), chunk)
        first, second, first_keys, second_keys = found
        earlier = None if queue is None or not int(queue.count) else queue.keys()
        both = objective(first, second_keys, earlier) + objective(second, first_keys, earlier)
        if queue is not None:
            queue.push(gather(second_keys)[0])
        return Step(both / 2, embeddings=first, positives=second_keys, after_backward=after)

    return loss
