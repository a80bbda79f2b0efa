"""Batches that know who an item belongs to (subject, track, vehicle)."""

from collections.abc import Callable

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator


def pairs_within_groups(
    groups: Int[Tensor, " n"], batch: int, seed: int
) -> Callable[[int], Int64[Tensor, " b"]]:
    """Two different items of each of ``batch / 2`` groups; no group twice in a batch.

    Rows 2i and 2i + 1 of a batch belong to the same group, so an even slice of it (a process's
    share) holds whole pairs. Groups with a single item never take part. A group that came twice
    would be a false negative of itself.

    Args:
        groups: the group of each item, any integers.
        batch: items a step, even; at most twice the number of groups that have two items.
        seed: batches are a function of it and the step.

    Raises:
        InputError: fewer than two groups have two items.
    """
    order = torch.argsort(groups.cpu(), stable=True)
    sizes = torch.unique(groups.cpu(), return_counts=True)[1]
    first = sizes.cumsum(0) - sizes
    usable = torch.nonzero(sizes >= 2).squeeze(1)
    if len(usable) < 2:
        raise InputError(
            f"{len(usable)} groups with two items or more; expected at least 2 to tell apart"
        )
    count = min(batch // 2, len(usable))

    def rows_at(step: int) -> Int64[Tensor, " b"]:
        generator = torch_generator(seed, "pairs within groups", step)
        chosen = usable[torch.randperm(len(usable), generator=generator)[:count]]
        share = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        one = (share[:, 0] * sizes[chosen]).long()
        other = (one + 1 + (share[:, 1] * (sizes[chosen] - 1)).long()) % sizes[chosen]
        return order[first[chosen, None] + torch.stack([one, other], 1)].flatten()

    return rows_at
