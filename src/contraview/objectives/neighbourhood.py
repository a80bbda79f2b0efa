"""Neighbourhood contrast: the nodes around a node are its positives, in weight."""

import torch
from jaxtyping import Float
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean
from contraview.objectives.log_sum_exp import LARGEST_UNSHIFTED, log_sum_exp
from contraview.objectives.unit import unit

FLOOR = 1e-8


def neighbourhood(
    embeddings: Float[Tensor, "n d"], weights: Float[Tensor, "n M"], scale: float
) -> Float[Tensor, ""]:
    """Draw every row to its neighbours, by their weights, and away from all other rows.

    With c_ij the cosine of rows i and j, and c_ii = 0, the mean over the rows of::

        -log( Σ_j w_ij exp(scale · c_ij) / Σ_j exp(scale · c_ij)  +  1e-8 )

    SCGC, Kulatilleke et al. 2022, arXiv 2204.12656, where the scale is called tau. Weighted
    positives are summed inside the logarithm. A row's similarity to itself is set to zero, not
    left out: it stays in both sums as exp(0) = 1. That is what tells it from `info_nce` with
    ``weights_inside_log``. Rows of weights that sum to R instead of 1 lower the loss by log R
    (apart from the floor).

    Memory is linear in n and in the number of weights that are not zero.

    Args:
        embeddings: [n, d]; any length, normalised here.
        weights: [n, M], not negative, constant to the gradient; dense or a sparse COO tensor, which
            is used as it is. Across processes its columns are the gathered rows, in order of rank.
        scale: what multiplies the cosine (an inverse temperature); at most 40.

    Raises:
        InputError: no rows, or a scale out of range.
    """
    if not 0 < scale <= LARGEST_UNSHIFTED:
        raise InputError(f"scale is {scale}: expected a number above 0, at most 40")
    if len(embeddings) == 0:
        raise InputError("no embeddings: expected at least one row")
    z = unit(embeddings) * scale**0.5
    keys, start = gather(z)
    own = torch.arange(start, start + len(z), device=z.device)
    others = log_sum_exp(z, None if keys is z else keys, left_out=own[:, None])
    everything = torch.logaddexp(others, others.new_zeros(()))

    sparse = (weights if weights.is_sparse else weights.to_sparse()).coalesce()
    row, column = sparse.indices()
    itself = column == own[row]
    cosine = (z[row] * keys[column]).sum(1).masked_fill(itself, 0)
    terms = sparse.values().detach().to(z.dtype) * cosine.exp()
    positives = z.new_zeros(len(z)).index_add(0, row, terms)
    shares = positives * torch.exp(-everything)
    return mean(-(shares + FLOOR).log().sum(), len(z))
