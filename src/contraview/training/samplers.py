"""Which rows make up the batch of a step: pure functions of (seed, step), so resume is free."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator

Order = Literal["spread", "rank"]
"""How `across_groups` lays out a pass."""
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


def across_groups(
    groups: Int[Tensor, " n"],
    batch: int,
    seed: int,
    *,
    order: Order = "spread",
    reshuffle: bool = True,
) -> Batches:
    """Pass after pass over all rows, in batches in which rows of a group meet seldom.

    Within a group the order is random; the rows left over at the end of a pass are dropped.

    ``spread`` deals the rows out, group by group, one to each of the pass's m batches in turn: of a
    group with s rows every batch holds s / m, rounded up or down, so one at most where s <= m. No
    other way has fewer pairs within groups. ``rank`` lays out all groups' first rows, then all
    second ones, ..., and cuts this into batches, as G-SimCLR does (arXiv 2009.12007): once the
    small groups are used up, the last batches are full of the large ones.

    Args:
        groups: of each row, any integers.
        batch: rows a step.
        seed: of the run.
        order: see above.
        reshuffle: each pass in an order of its own; else the same rows meet in every pass.
    """
    rows = len(groups)
    _need_rows(rows)
    owner, sizes = torch.unique(groups.cpu(), return_inverse=True, return_counts=True)[1:]
    first = sizes.cumsum(0) - sizes
    size = min(batch, rows)
    per_epoch = rows // size

    @lru_cache(maxsize=1)
    def layout(epoch: int) -> Tensor:
        generator = torch_generator(seed, "across groups", epoch)
        shuffled = torch.randperm(rows, generator=generator)
        if order == "rank":
            by_group = shuffled[torch.argsort(owner[shuffled], stable=True)]
            rank = torch.arange(rows) - first[owner[by_group]]
            tie = torch.rand(rows, generator=generator, dtype=torch.float64)
            return by_group[torch.argsort(rank + tie)]
        kept = shuffled[: per_epoch * size]
        turn = torch.randperm(len(sizes), generator=generator)
        by_group = kept[torch.argsort(turn[owner[kept]], stable=True)]
        return by_group.view(size, per_epoch).T.flatten()

    def rows_at(step: int) -> Int64[Tensor, " batch"]:
        epoch, place = divmod(step, per_epoch)
        return layout(epoch if reshuffle else 0)[place * size : (place + 1) * size]

    return rows_at


def _need_rows(rows: int) -> None:
    if rows < 1:
        raise InputError("no rows to train on; expected at least one")
