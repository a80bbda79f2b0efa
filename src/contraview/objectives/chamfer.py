"""Chamfer distance between sets of points."""

from jaxtyping import Float
from torch import Tensor


def chamfer(one: Float[Tensor, "n p d"], other: Float[Tensor, "n q d"]) -> Float[Tensor, ""]:
    """How far two sets of points lie from each other; the mean over the n pairs of sets.

    Squared distances, each point to the nearest of the other set, the mean over the points of a
    set, both directions added::

        1/p Σ_x min_y |x - y|²  +  1/q Σ_y min_x |x - y|²

    Fan et al. 2017, arXiv:1612.00603, eq. 1, with means in place of sums; "CD-l2" of Point-MAE's
    official code. Across processes: each process's mean over as many pairs of sets.
    """
    apart = (one[:, :, None] - other[:, None]).square().sum(3)
    return apart.amin(2).mean() + apart.amin(1).mean()
