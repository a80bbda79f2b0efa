"""Chamfer distance between sets of points."""

from jaxtyping import Float
from torch import Tensor

from contraview.objectives.distributed import mean


def chamfer(one: Float[Tensor, "n p d"], other: Float[Tensor, "n q d"]) -> Float[Tensor, ""]:
    """How far two sets of points lie from each other; the mean over the n pairs of sets.

    Squared distances, each point to the nearest of the other set, the mean over the points of a
    set, both directions added::

        1/p Σ_x min_y |x - y|²  +  1/q Σ_y min_x |x - y|²

    Fan et al. 2017, arXiv:1612.00603, eq. 1, with means in place of sums; "CD-l2" of Point-MAE's
    official code.

    Across processes: the mean over the pairs of sets of all.
    """
    apart = (one[:, :, None] - other[:, None]).square().sum(3)
    forth, back = apart.amin(2), apart.amin(1)
    return mean(forth.sum(), forth.numel()) + mean(back.sum(), back.numel())
