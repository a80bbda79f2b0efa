"""CLIP's loss: of all the captions of a batch, which is this image's, and the other way round."""

from jaxtyping import Float
from torch import Tensor

from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit


def clip(
    one: Float[Tensor, "n d"],
    other: Float[Tensor, "n d"],
    *,
    scale: float | Float[Tensor, ""],
    symmetric: bool = True,
) -> Float[Tensor, ""]:
    """Row i of one modality belongs to row i of the other, and to no other row.

    With S = scale · cos(one_i, other_j), the mean over rows of the cross entropy of S with its
    diagonal; symmetric, the mean of that of S and of its transpose (Radford et al. 2021,
    arXiv 2103.00020, figure 3). CleanCLIP's in-modal terms (Bansal et al. 2023, arXiv 2303.03323)
    are not symmetric: clean rows look for augmented columns.

    Across processes: the mean over the rows of all, each against the columns of all.

    Args:
        one: [n, d], any length, normalised here.
        other: [n, d], row for row.
        scale: what multiplies the cosines: a number, or a learned scalar.
        symmetric: ask in both directions.
    """
    rows, columns = unit(one), unit(other)
    forth = info_nce(rows, columns, scale=scale)
    return (forth + info_nce(columns, rows, scale=scale)) / 2 if symmetric else forth
