"""Which rows make up the batch of a step: pure functions of (seed, step), so resume is free."""

from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator

Batches = Callable[[int], Int64[Tensor, " batch"]]
"""Step number to the row numbers of its batch, over all processes together."""


def epochs(rows: int, batch: int, seed: int) -> Batches:
    """Pass after pass over all rows, each in its own random order.

    The rows left over at the end of a pass are dropped; another order leaves out others. Where
    there are fewer than ``batch`` rows, every batch is all the rows there are.
    """
    _need_rows(rows)
    size = min(batch, rows)
    per_epoch = rows // size

    @lru_cache(maxsize=1)
    def order(epoch: int) -> Tensor:
        return torch.randperm(rows, generator=torch_generator(seed, "epochs", epoch))

    def rows_at(step: int) -> Int64[Tensor, " batch"]:
        epoch, place = divmod(step, per_epoch)
        return order(epoch)[place * size : (place + 1) * size]

    return rows_at


def bootstrap(rows: int, batch: int, seed: int) -> Batches:
    """Uniform draws with replacement; always ``batch`` of them. CLAN's official sampler."""
    _need_rows(rows)

    def rows_at(step: int) -> Int64[Tensor, " batch"]:
        return torch.randint(rows, (batch,), generator=torch_generator(seed, "bootstrap", step))

    return rows_at


def balanced(labels: Int[Tensor, " n"], batch: int, seed: int) -> Batches:
    """Draws with replacement in which every class is equally likely, and every row of a class.

    For few-label fine-tuning; always ``batch`` draws. ``labels`` may be any integers.
    """
    _need_rows(len(labels))
    by_class = torch.argsort(labels.cpu(), stable=True)
    sizes = torch.unique(labels.cpu(), return_counts=True)[1]
    first = sizes.cumsum(0) - sizes

    def rows_at(step: int) -> Int64[Tensor, " batch"]:
        generator = torch_generator(seed, "balanced", step)
        drawn = torch.randint(len(sizes), (batch,), generator=generator)
        share = torch.rand(batch, generator=generator, dtype=torch.float64)
        return by_class[first[drawn] + (share * sizes[drawn]).long()]

    return rows_at


def _need_rows(rows: int) -> None:
    if rows < 1:
        raise InputError("no rows to train on; expected at least one")
