"""What a system gives the loop: a loss over the rows of a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


@dataclass(frozen=True)
class Step:
    """What a loss found on the rows of one step.

    Attributes:
        loss: the scalar to differentiate. Gradients are averaged over processes, so the mean of
            the processes' losses has to be the loss of the whole batch.
        embeddings: of the rows, for the collapse watch; None leaves the training unwatched.
        positives: row i is the positive of row i of ``embeddings``; adds alignment to the figures.
        narrow: the objective is meant to draw embeddings together, as a one-class loss does: the
            figures are logged and a small effective rank is no reason to warn.
        terms: parts of the loss worth showing.
        waited: seconds spent waiting for data (reading files, decoding) before computing began.
        after_backward: called once the loss is differentiated, to bring the gradient from the
            embeddings into the weights (see `grad_cache`); None where it is there already.
    """

    loss: Float[Tensor, ""]
    embeddings: Float[Tensor, "n d"] | None = None
    positives: Float[Tensor, "n d"] | None = None
    narrow: bool = False
    terms: Mapping[str, Float[Tensor, ""] | float] = field(default_factory=dict)
    waited: float = 0.0
    after_backward: Callable[[], None] | None = None

    def figures(self) -> dict[str, float]:
        """Loss and terms as numbers."""
        return {
            name: torch.as_tensor(value).detach().item()
            for name, value in {"loss": self.loss, **self.terms}.items()
        }


@runtime_checkable
class Loss(Protocol):
    """Computes the loss of some rows. It slices its data itself; there is no data loader."""

    def __call__(
        self, model: nn.Module, rows: Int64[Tensor, " n"], generator: torch.Generator, /
    ) -> Step:
        """The loss of ``rows``: this process's share of the batch, numbers on the CPU.

        ``model`` is to be called, ``model(x)``, not reached into: across processes it is a wrapper
        that sees the call alone. ``generator`` lives on the training device, where data must go
        too (``x[rows].to(generator.device)``); every draw comes from it. Dropout and the like draw
        from torch's own generator, which the loop seeds at every step.
        """
        ...
