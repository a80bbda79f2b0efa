"""One rule for every objective: the loss of W processes is the loss of their rows in one process.

Each process compares its own queries with the keys of all (n x N pairs, not N x N). Sums and counts
are added up over the processes and then divided, so every process returns the same, global loss.

Gradient: backward leaves W times the global gradient on each process's own rows. Data-parallel
training (DDP, FSDP) averages over processes, which divides by W: parameters receive exactly the
gradient of the global loss. On one process nothing here does anything.
"""

import torch
import torch.distributed as dist
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable


def gather(rows: Shaped[Tensor, "n ..."]) -> tuple[Shaped[Tensor, "N ..."], int]:
    """The rows of all processes in the order of their ranks, and where this process's begin.

    Gradient flows back: what any process asks of a row reaches its owner. Processes may hold
    different numbers of rows. In one process the very same tensor comes back.
    """
    if _processes() == 1:
        return rows, 0
    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(_processes())]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    sizes = [int(count) for count in counts]
    return _Gather.apply(rows, sizes), sum(sizes[: dist.get_rank()])  # pyright: ignore


def mean(total: Float[Tensor, ""], count: Int[Tensor, ""] | int) -> Float[Tensor, ""]:
    """Sum of `total` over all processes divided by the sum of `count`; zero where that is zero."""
    counted = torch.as_tensor(count, device=total.device)
    if _processes() > 1:
        counted = counted.clone()
        dist.all_reduce(counted)
        total = _Sum.apply(total)  # pyright: ignore
    return torch.where(counted > 0, total / counted.clamp(min=1), 0)


def weighted(
    losses: Float[Tensor, " n"], row_weights: Float[Tensor, " n"] | None
) -> Float[Tensor, " n"]:
    """Each row's loss times its weight, to which no gradient flows; as they are without weights."""
    return losses if row_weights is None else losses * row_weights.detach()


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, sizes):  # pyright: ignore
        ctx.sizes = sizes
        # Collectives want equal shapes: pad to the largest, cut after.
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):  # pyright: ignore
        total = upstream.contiguous().clone()
        dist.all_reduce(total)
        return total.split(ctx.sizes)[dist.get_rank()], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, total):  # pyright: ignore
        ctx.processes = _processes()
        total = total.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):  # pyright: ignore
        return upstream * ctx.processes  # undone by the mean that data-parallel training takes
