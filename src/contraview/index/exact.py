"""Exact nearest neighbours of queries in a bank of rows, a tile at a time."""

from typing import Literal

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from contraview.core.errors import InputError

Metric = Literal["euclidean", "cosine"]

QUERY_TILE = 64
BANK_TILE = 8192
"""Rows compared at a time: a tile of distances takes 4 MB, whatever the sizes of the two sets."""


def nearest(
    bank: Float[Tensor, "n d"],
    queries: Float[Tensor, "m d"],
    k: int,
    *,
    metric: Metric = "euclidean",
) -> tuple[Float32[Tensor, "m k"], Int64[Tensor, "m k"]]:
    """The ``k`` bank rows nearest to each query, nearest first.

    Arithmetic is in double precision, since |x|^2 - 2 x.y + |y|^2 loses half the digits; what
    that rounding cannot tell from zero is zero, so a copy of a bank row is found at distance 0.
    Rows equally near, to single precision, come in the order of the bank.

    Args:
        bank: the rows to search in; may be a memory map, it is read a tile at a time.
        queries: the rows to search for.
        k: neighbours a query, at most n.
        metric: Euclidean distance, or 1 - cos (1 from or to a row of zeros).

    Returns:
        The distances, and the indices of the bank rows.

    Raises:
        InputError: k does not fit the bank, or a value is not finite.
    """
    if not 1 <= k <= len(bank):
        raise InputError(f"{k} neighbours of {len(bank)} rows; expected 1 to {len(bank)}")
    queries = _prepared(queries, "query", metric)
    tiles = [queries[i : i + QUERY_TILE] for i in range(0, len(queries), QUERY_TILE)]
    nothing = torch.empty(0, k, dtype=torch.int64, device=bank.device)
    best = [nothing] * len(tiles)
    for start in range(0, len(bank), BANK_TILE):
        rows = _prepared(bank[start : start + BANK_TILE], "bank", metric)
        squares = rows.square().sum(dim=1)
        for i, tile in enumerate(tiles):
            keys = _keys(_compare(rows, squares, tile, metric), start)
            best[i] = _smallest(torch.cat([best[i], keys], dim=1) if start else keys, k)
    keys = torch.cat([nothing, *best])
    distances = (keys >> 32).int().view(torch.float32)
    if metric == "euclidean":  # by way of double: not every single-precision root is the nearest
        distances = distances.double().sqrt().float()
    return distances, keys & 0xFFFFFFFF


def _prepared(rows: Float[Tensor, "n d"], name: str, metric: Metric) -> Float64[Tensor, "n d"]:
    rows = rows.double()
    if not rows.isfinite().all():
        raise InputError(f"a {name} row holds NaN or infinity; expected finite numbers")
    return torch.nn.functional.normalize(rows) if metric == "cosine" else rows


def _compare(
    bank: Float64[Tensor, "n d"],
    squares: Float64[Tensor, " n"],
    queries: Float64[Tensor, "m d"],
    metric: Metric,
) -> Float64[Tensor, "m n"]:
    """Squared Euclidean distances, or 1 - cos of unit rows; zero where rounding hides the rest."""
    if metric == "euclidean":
        others = queries.square().sum(dim=1, keepdim=True)
        distances = torch.addmm(squares, queries, bank.T, alpha=-2).add_(others)
        largest = float(squares.max() + others.max())
    else:
        distances = (queries @ bank.T).neg_().add_(1)
        largest = 2.0
    noise = torch.finfo(torch.float64).eps * bank.shape[1] * largest
    return torch.threshold_(distances, noise, 0.0)


def _keys(distances: Float64[Tensor, "m n"], start: int) -> Int64[Tensor, "m n"]:
    """Distance and index in one integer: smaller is nearer, then earlier in the bank.

    The bits of non-negative single-precision numbers, read as integers, keep their order.
    """
    indices = torch.arange(start, start + distances.shape[1], device=distances.device)
    bits = distances.float().view(torch.int32).long()
    return bits.bitwise_left_shift_(32).bitwise_or_(indices)


def _smallest(keys: Int64[Tensor, "m n"], k: int) -> Int64[Tensor, "m r"]:
    """The r = min(k, n) smallest of each row, ascending."""
    k = min(k, keys.shape[1])
    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    # NumPy's vectorised selection takes a fifth of the time of torch's on a CPU.
    keys.numpy().partition(k - 1, axis=1)
    return keys[:, :k].sort(dim=1).values
