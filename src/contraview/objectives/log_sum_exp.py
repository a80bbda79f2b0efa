"""Row-wise log-sum-exp of inner products in linear memory: the engine of the softmax losses.

Forward keeps one number a row. Backward visits the tiles again, because the gradient by a product
needs the finished sum of its row: recomputing costs less than storing n x m numbers.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from contraview.objectives.tiles import Gradient, Pairs, Tile

# exp(-40) to exp(40), and sums of 1e20 such terms, are normal float32 numbers, so logits known to
# lie inside need no shift. Unit vectors at temperature >= 0.025 do: |logit| <= 1 / 0.025 = 40.
LARGEST_UNSHIFTED = 40.0

# Tiles hold logits in bits: exp2 costs a quarter of exp, and the matrix product scales for nothing.
LOG2_E = 1 / math.log(2)


def log_sum_exp(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "m d"] | None,
    *,
    left_out: Int[Tensor, "n k"] | None = None,
    weights: Float[Tensor, "n m"] | None = None,
) -> Float[Tensor, " n"]:
    """Return log Σ_j w_ij exp(q_i · k_j) for every query i, in memory linear in n + m.

    Where Cauchy-Schwarz keeps every logit within ±40 the exponentials are summed as they are;
    elsewhere each row (and column of a mirrored tile) carries its running maximum.

    Args:
        queries: [n, d], scale included.
        keys: [m, d]; None means the queries themselves, for half the work.
        left_out: [n, k], positions of the keys that each query leaves out of its sum. With
            `keys=None` leaving out must be mutual: i leaves out j exactly when j leaves out i.
        weights: [n, m], not negative, constant; None means 1. Needs `keys`.

    Returns:
        [n]; -inf for a query whose keys are all left out or weigh nothing. Such a row passes no
        gradient.
    """
    return _LogSumExp.apply(queries, keys, left_out, weights)  # pyright: ignore[reportReturnType]


_Slope = Callable[[Tile], Tensor]


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, keys, left_out, weights):  # pyright: ignore
        logits = _Logits(Pairs(queries, keys), left_out, weights)
        with torch.autocast(queries.device.type, enabled=False):
            sums = _unshifted_sums(logits) if logits.bounded else _running_sums(logits)
        ctx.save_for_backward(queries, keys, left_out, weights, sums)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):  # pyright: ignore
        queries, keys, left_out, weights, result = ctx.saved_tensors
        pairs = Pairs(queries, keys)
        logits = _Logits(pairs, left_out, weights)
        gradient = Gradient(pairs, to_keys=ctx.needs_input_grad[1])
        empty = result == -torch.inf
        upstream = upstream.masked_fill(empty, 0)
        result = result.masked_fill(empty, 0)
        slope_of = _unshifted_slope if logits.bounded else _shifted_slope
        with torch.autocast(queries.device.type, enabled=False):
            slopes = slope_of(logits, result, upstream)
            for tile in pairs.tiles():
                gradient.add(tile, slopes(tile))
        return gradient.of_queries, gradient.of_keys, None, None


class _Logits:
    """Tiles of q_i · k_j + log w_ij, in bits, with -inf where a pair is left out."""

    def __init__(self, pairs: Pairs, left_out: Tensor | None, weights: Tensor | None) -> None:
        self.pairs, self.weights = pairs, weights
        self.bounded = weights is None and _largest_product(pairs) <= LARGEST_UNSHIFTED * 1.0001
        self.left_out = {} if left_out is None else _by_tile(pairs, left_out)

    def of(self, tile: Tile) -> Tensor:
        logits = self.pairs.products(tile, LOG2_E)
        size = self.pairs.size
        if self.weights is not None:
            top, left = tile.row * size, tile.column * size
            logits += self.weights[top : top + size, left : left + size].log2()
        left_out = self.left_out.get((tile.row, tile.column))
        if left_out is not None:
            logits.view(-1).index_fill_(0, left_out, -torch.inf)
        return logits


def _by_tile(pairs: Pairs, left_out: Tensor) -> dict[tuple[int, int], Tensor]:
    """Where the pairs to leave out lie in their tiles, read row by row; only these pay for them."""
    size, columns = pairs.size, len(pairs.key_blocks)
    row = torch.arange(len(left_out), device=left_out.device)[:, None]
    column = left_out // size
    width = (len(pairs.keys) - column * size).clamp(max=size)
    place = (row % size) * width + left_out % size
    tile, order = (row // size * columns + column).flatten().sort()
    numbers, counts = tile.unique_consecutive(return_counts=True)
    places = place.flatten()[order].split(counts.tolist())
    found = zip(numbers.tolist(), places, strict=True)
    return {divmod(number, columns): part for number, part in found}


def _largest_product(pairs: Pairs) -> float:
    """No |q_i · k_j| exceeds this: max |q| max |k|."""
    longest = torch.linalg.vector_norm(pairs.queries, dim=1).amax()
    if not pairs.triangle:
        return float(longest * torch.linalg.vector_norm(pairs.keys, dim=1).amax())
    return float(longest * longest)


def _unshifted_sums(logits: _Logits) -> Tensor:
    sums = logits.pairs.queries.new_zeros(len(logits.pairs.queries))
    blocks = sums.split(logits.pairs.size)
    for tile in logits.pairs.tiles():
        terms = logits.of(tile).exp2_()
        blocks[tile.row].add_(terms.sum(1))
        if tile.mirrored:
            blocks[tile.column].add_(terms.sum(0))
    return sums.log_()


def _running_sums(logits: _Logits) -> Tensor:
    queries = logits.pairs.queries
    # Finite from the start: -inf minus -inf would be NaN in a row that has met no key yet.
    largest = queries.new_full((len(queries),), torch.finfo(queries.dtype).min)
    sums = torch.zeros_like(largest)
    blocks = list(zip(largest.split(logits.pairs.size), sums.split(logits.pairs.size), strict=True))

    def absorb(block: int, tile: Tensor, dim: int) -> None:
        largest, sums = blocks[block]
        risen = torch.maximum(largest, tile.amax(dim))
        sums.mul_(torch.exp2(largest - risen)).add_(
            torch.exp2(tile - risen.unsqueeze(dim)).sum(dim)
        )
        largest.copy_(risen)

    for tile in logits.pairs.tiles():
        values = logits.of(tile)
        absorb(tile.row, values, 1)
        if tile.mirrored:
            absorb(tile.column, values, 0)
    return (largest + sums.log2()) / LOG2_E


def _unshifted_slope(logits: _Logits, result: Tensor, upstream: Tensor) -> _Slope:
    """Upstream_i exp(logit_ij - result_i): a factor of the row times the bare exponential."""
    shares = (upstream * torch.exp(-result)).split(logits.pairs.size)

    def slope(tile: Tile) -> Tensor:
        factor = shares[tile.row][:, None]
        if logits.pairs.triangle:
            factor = factor + shares[tile.column]
        return logits.of(tile).exp2_().mul_(factor)

    return slope


def _shifted_slope(logits: _Logits, result: Tensor, upstream: Tensor) -> _Slope:
    """The same where the two factors alone could overflow."""
    size = logits.pairs.size
    rows = list(zip((result * LOG2_E).split(size), upstream.split(size), strict=True))

    def slope(tile: Tile) -> Tensor:
        values = logits.of(tile)
        bits, share = rows[tile.row]
        slopes = torch.exp2(values - bits[:, None]).mul_(share[:, None])
        if logits.pairs.triangle:
            bits, share = rows[tile.column]
            slopes.addcmul_(values.sub_(bits).exp2_(), share[None])
        return slopes

    return slope
