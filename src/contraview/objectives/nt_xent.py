"""NT-Xent: two views of a row attract, everything else in the batch repels."""

import torch
from jaxtyping import Float
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit


def nt_xent(
    view_a: Float[Tensor, "n d"],
    view_b: Float[Tensor, "n d"],
    temperature: float = 0.1,
    *,
    row_weights: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Tell which of 2n - 1 embeddings is the other view of the same row.

    The mean over the 2n rows i of both views, j being the other view of i::

        -log( exp(cos(z_i, z_j) / T) / Σ_{k ≠ i} exp(cos(z_i, z_k) / T) )

    SimCLR, Chen et al. 2020, arXiv 2002.05709, eq. 1 (its normalised, temperature-scaled cross
    entropy). Across processes: the mean over all rows, each against the rows of all processes.

    Args:
        view_a: [n, d], embeddings of one view; any length, normalised here.
        view_b: [n, d], the other view of the same rows in the same order.
        temperature: T > 0.
        row_weights: [n], what the loss of both views of a row is multiplied with before the mean;
            constant to the gradient. None: one.

    Raises:
        InputError: views of different shapes, no rows, or a temperature that is not positive.
    """
    if view_a.shape != view_b.shape:
        raise InputError(
            f"view_a is {list(view_a.shape)} and view_b is {list(view_b.shape)}: "
            "expected two views of the same rows"
        )
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}: expected a number above 0")
    z = unit(torch.cat([view_a, view_b]))
    partner = torch.arange(len(z), device=z.device).roll(len(view_a))
    both = None if row_weights is None else row_weights.repeat(2)
    return info_nce(
        z, z, scale=1 / temperature, weights=partner, exclude_self=True, row_weights=both
    )
