"""SupCon: rows of the same class attract."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean
from contraview.objectives.log_sum_exp import log_sum_exp
from contraview.objectives.unit import unit


def sup_con(
    embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"], temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Draw every row to the other rows of its class, away from all else.

    The mean over the rows i that have others P(i) of their class in the batch::

        -1/|P(i)| Σ_{p in P(i)} log( exp(cos(z_i, z_p) / T) / Σ_{k ≠ i} exp(cos(z_i, z_k) / T) )

    Supervised contrastive learning, Khosla et al. 2020, arXiv 2004.11362, eq. 2 (L_out). It is
    `info_nce` with weights 1/|P(i)|, without the n x n weights: a sum over positives is a product
    with the sum of their class. The official code also multiplies by T / 0.07, which is left to the
    learning rate here, and averages over rows without positives as zeros.

    Across processes classes span the gathered rows; the mean is over all rows that have positives.

    Args:
        embeddings: [n, d]; any length, normalised here. Several views of a row are several rows.
        labels: [n], the class of each row.
        temperature: T > 0.

    Returns:
        The loss; zero where no row has a positive.

    Raises:
        InputError: no rows, or a temperature that is not positive.
    """
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}: expected a number above 0")
    if len(embeddings) == 0:
        raise InputError("no embeddings: expected at least one row")
    z = unit(embeddings) * temperature**-0.5
    keys, start = gather(z)
    own = torch.arange(start, start + len(z), device=z.device)
    everything = log_sum_exp(z, None if keys is z else keys, left_out=own[:, None])

    classes, member = torch.unique(gather(labels)[0], return_inverse=True)
    class_sum = z.new_zeros(len(classes), z.shape[1]).index_add(0, member, keys)
    positives = member.bincount(minlength=len(classes))[member[own]] - 1
    attraction = (z * (class_sum[member[own]] - z)).sum(1) / positives.clamp(min=1)
    counted = positives > 0
    return mean((everything - attraction).where(counted, 0).sum(), counted.sum())
