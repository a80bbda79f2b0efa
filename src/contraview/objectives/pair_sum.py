"""A sum of some function over all pairs, in linear memory: the engine of the margin losses."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from contraview.objectives.tiles import Gradient, Pairs

# A tile of products -> the term of each pair, and its derivative by the product.
Term = Callable[[Tensor], tuple[Tensor, Tensor]]


def pair_sum(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "m d"] | None,
    term: Term,
    *,
    counted_above: float,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Σ_ij term(q_i · k_j) over all ordered pairs, and how many terms exceed `counted_above`.

    The derivative of a sum asks nothing of the other tiles, so the gradient is taken in the same
    walk as the sum.

    Args:
        queries: [n, d].
        keys: [m, d]; None pairs the queries with themselves for half the work.
        term: maps a tile of products to the terms and their slopes.
        counted_above: terms above it are counted.

    Returns:
        The sum, and the count, which is constant to the gradient.
    """
    differentiable = torch.is_grad_enabled()  # not to be seen from inside the function
    return _PairSum.apply(queries, keys, term, counted_above, differentiable)  # pyright: ignore


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, keys, term, counted_above, differentiable):  # pyright: ignore
        pairs = Pairs(queries, keys)
        total = queries.new_zeros(())
        count = torch.zeros((), dtype=torch.int64, device=queries.device)
        gradient = None
        if differentiable and any(ctx.needs_input_grad):
            gradient = Gradient(pairs, to_keys=ctx.needs_input_grad[1])
        with torch.autocast(queries.device.type, enabled=False):
            for tile in pairs.tiles():
                terms, slopes = term(pairs.products(tile))
                orders = 2 if tile.mirrored else 1
                total += orders * terms.sum()
                count += orders * (terms > counted_above).count_nonzero()
                if gradient is not None:
                    # In a triangle a product stands for (i, j) and (j, i), on the diagonal too:
                    # there the tile itself holds both, and each row receives from both.
                    gradient.add(tile, 2 * slopes if pairs.triangle else slopes)
        if gradient is not None:
            ctx.save_for_backward(gradient.of_queries, gradient.of_keys)
        ctx.mark_non_differentiable(count)
        return total, count

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream, _):  # pyright: ignore
        of_queries, of_keys = ctx.saved_tensors
        to_keys = None if of_keys is None else upstream * of_keys
        return upstream * of_queries, to_keys, None, None, None
