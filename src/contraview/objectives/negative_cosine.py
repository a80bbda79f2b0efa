"""Minus the cosine of a prediction and its target: BYOL's and SimSiam's loss."""

from jaxtyping import Float
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import mean, weighted
from contraview.objectives.unit import unit


def negative_cosine(
    predictions: Float[Tensor, "n d"],
    targets: Float[Tensor, "n d"],
    *,
    row_weights: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """The mean over rows of ``-cos(p_i, z_i)``; no gradient flows into the targets.

    SimSiam, Chen and He 2021, arXiv 2011.10566, eq. 1 with the stop-gradient of eq. 3. BYOL's loss
    (Grill et al. 2020, arXiv 2006.07733, eq. 2) is 2 plus twice this. Each row's cosine is
    multiplied with its weight in ``row_weights``, where there are any.

    Across processes: the mean over the rows of all.
    """
    if predictions.shape != targets.shape or not len(predictions):
        raise InputError(
            f"predictions are {list(predictions.shape)} and targets {list(targets.shape)}: "
            "expected the same shape, and at least one row"
        )
    cosines = (unit(predictions) * unit(targets.detach())).sum(1)
    return mean(-weighted(cosines, row_weights).sum(), len(cosines))
