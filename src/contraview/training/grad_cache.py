"""Large batches in little memory: rows pass in chunks, the gradient is that of the whole batch.

Accumulating the losses of small batches would lose the negatives of the others. GradCache (Gao,
Zhang, Han, Callan 2021, arXiv 2101.06983, section 3) keeps them, for one more forward pass:

1. every chunk passes without gradient, only its embeddings stay;
2. the loss of all embeddings is differentiated by the embeddings;
3. every chunk passes once more, with the random state of its first pass, and the stored gradient
   goes on into the weights.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.training.batch_statistics import batch_statistics

Passes = Callable[..., tuple[Tensor, ...]]
"""Calls the model on some rows: tensors of as many rows out, or scalars alike for all rows."""


def in_chunks(
    model: nn.Module, passes: Passes, rows: Sequence[Tensor], chunk: int | None
) -> tuple[tuple[Tensor, ...], Callable[[], None] | None]:
    """What ``passes(*rows)`` gives, and what is left to do once the loss is differentiated.

    For a loss of the training loop::

        (one, other), after = in_chunks(model, lambda a, b: (model(a), model(b)), views, chunk)
        return Step(nt_xent(one, other), after_backward=after)

    Dropout and other draws from torch's global generator repeat in the second pass. Across
    processes gradients are exchanged once, with the last chunk.

    Args:
        model: as the loss was given it; ``passes`` reaches the network through it alone.
        passes: see `Passes`.
        rows: the inputs of ``passes``, row for row.
        chunk: rows at a time; None, or a batch that is no larger: all at once, as without it.

    Raises:
        InputError: the model has a layer with batch statistics, whose name is told.
    """
    if chunk is None or chunk >= len(rows[0]):
        return passes(*rows), None
    if layer := batch_statistics(model):
        raise InputError(
            f"chunk: {layer} takes statistics over the rows that pass together, which chunks "
            "change; expected a network without, or no chunk"
        )
    parts = list(zip(*(each.split(chunk) for each in rows), strict=True))
    states = [_random_states(rows[0].device)]
    with _apart(model):
        first = passes(*parts[0])  # with gradient, to learn which outputs have one
    wanted = [each.requires_grad for each in first]
    embedded = [[each.detach() for each in first]]
    with torch.no_grad():
        for part in parts[1:]:
            states.append(_random_states(rows[0].device))
            embedded.append(list(passes(*part)))
    del first
    whole = tuple(
        (each[0] if each[0].dim() == 0 else torch.cat(each)).requires_grad_(needs)
        for each, needs in zip(map(list, zip(*embedded, strict=True)), wanted, strict=True)
    )

    def after_backward() -> None:
        gradients = list(zip(*(_split(each, chunk, len(parts)) for each in whole), strict=True))
        for place, (part, state) in enumerate(zip(parts, states, strict=True)):
            _restore(state, rows[0].device)
            with nullcontext() if place == len(parts) - 1 else _apart(model):
                found = passes(*part)
                torch.autograd.backward(
                    [each for each, needs in zip(found, wanted, strict=True) if needs],
                    [each for each, needs in zip(gradients[place], wanted, strict=True) if needs],
                )

    return whole, after_backward


def _split(whole: Tensor, chunk: int, parts: int) -> list[Tensor]:
    """The gradient of the loss by each chunk's output; a scalar's goes to the first chunk."""
    gradient = torch.zeros_like(whole) if whole.grad is None else whole.grad
    if whole.dim():
        return list(gradient.split(chunk))
    return [gradient, *(torch.zeros_like(gradient) for _ in range(parts - 1))]


def _apart(model: nn.Module) -> AbstractContextManager[Any]:
    """Gradients stay on this process meanwhile, where the model is a data-parallel wrapper."""
    return model.no_sync() if hasattr(model, "no_sync") else nullcontext()  # pyright: ignore


def _random_states(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def _restore(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1], device)
