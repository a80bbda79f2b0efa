"""Sparse adjacency: from edges, from neighbours, normalised, in powers."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse

from contraview.core.errors import InputError
from contraview.index.exact import Metric, nearest

Sparse = sparse.csr_array
Normalisation = Literal["random walk", "symmetric"]


def undirected(
    nodes: int,
    pairs: Int[np.ndarray, "m 2"],
    weights: Float[np.ndarray, " m"] | None = None,
) -> Sparse:
    """The symmetric adjacency [n, n] of some edges, without self-loops.

    A pair named more than once, in either direction, is one edge with its largest weight.

    Args:
        nodes: n.
        pairs: node numbers from 0.
        weights: of the edges, above zero; 1 by default.
    """
    values = np.ones(len(pairs)) if weights is None else weights
    low, high = pairs.min(axis=1).astype(np.int64), pairs.max(axis=1).astype(np.int64)
    proper = low != high
    keys, place = np.unique((low * nodes + high)[proper], return_inverse=True)
    largest = np.zeros(len(keys))
    np.maximum.at(largest, place, values[proper])
    low, high = np.divmod(keys, nodes)
    ends = np.concatenate([low, high]), np.concatenate([high, low])
    both = np.concatenate([largest, largest]).astype(np.float32)
    return sparse.csr_array(sparse.coo_array((both, ends), shape=(nodes, nodes)))


def nearest_neighbours(features: Float[np.ndarray, "n d"], k: int, metric: Metric) -> Sparse:
    """The graph in which nodes are joined where one is among the other's ``k`` nearest."""
    nodes = len(features)
    if not 1 <= k < nodes:
        raise InputError(
            f"{k} neighbours among {nodes} nodes; expected a number from 1 to {nodes - 1}"
        )
    rows = torch.from_numpy(np.ascontiguousarray(features))
    found = nearest(rows, rows, k + 1, metric=metric)[1].numpy()
    own = np.arange(nodes)[:, None]
    # A copy of a node may be found before the node itself: leave out the node, else the farthest.
    others = found != own
    others[others.all(axis=1), -1] = False
    pairs = np.stack([np.repeat(own[:, 0], k), found[others]], axis=1)
    return undirected(nodes, pairs)


def normalised(adjacency: Sparse, kind: Normalisation, *, self_loops: bool = True) -> Sparse:
    """D^-1 A (each row sums to one) or D^-1/2 A D^-1/2, D being the row sums of A.

    ``self_loops`` adds the identity to A first, as Kipf and Welling 2017 (arXiv 1609.02907) do.
    Rows without an edge stay zero.
    """
    if self_loops:
        own = sparse.diags_array(np.ones(len(adjacency.indptr) - 1, np.float32))
        adjacency = Sparse(adjacency + own)
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    power = -1.0 if kind == "random walk" else -0.5
    scale = np.power(degree, power, where=degree > 0, out=np.zeros_like(degree))
    left = sparse.diags_array(scale)
    scaled = left @ adjacency if kind == "random walk" else left @ adjacency @ left
    return Sparse(scaled.astype(np.float32))


def powers(matrix: Sparse, hops: int, *, cumulative: bool) -> Sparse:
    """The ``hops``-th power of a matrix, or the sum of its powers 1 to ``hops``.

    The result fills up as hops grow: of a well connected graph it is a dense n x n.
    """
    power = matrix
    total = matrix
    for _ in range(hops - 1):
        power = Sparse(power @ matrix)
        total = Sparse(total + power)
    return total if cumulative else power


def as_torch(matrix: Sparse) -> torch.Tensor:
    """The square matrix as a coalesced sparse tensor."""
    entries = matrix.tocoo()
    places = np.stack([entries.row, entries.col]).astype(np.int64)
    size = (len(matrix.indptr) - 1,) * 2
    values = torch.from_numpy(entries.data.astype(np.float32))
    ends = torch.from_numpy(places)
    return torch.sparse_coo_tensor(ends, values, size, check_invariants=False).coalesce()
