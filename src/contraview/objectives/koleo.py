"""KoLeo: keep each embedding away from its nearest neighbour, so that none crowd together."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean
from contraview.objectives.unit import unit

TILE = 1024


def koleo(embeddings: Float[Tensor, "n d"], epsilon: float = 1e-3) -> Float[Tensor, ""]:
    """The Kozachenko-Leonenko estimate of how little the unit sphere is filled; lower is fuller.

    With unit rows z::

        -(1/n) Σ_i log( sqrt( min_{j ≠ i} |z_i - z_j|² + ε² ) )

    Sablayrolles et al. 2018, arXiv 1806.03198, eq. 2, where ε is 0. There the gradient of two
    near-duplicates grows without bound; here it is at most 1 / (2 ε) a row, and zero for exact
    duplicates. Beyond distances of a few ε the two are the same.

    Args:
        embeddings: [n, d], any length, normalised here; a row is never its own neighbour.
        epsilon: ε, the distance below which the push grows no further.

    Across processes: neighbours are looked for among the rows of all, the mean is over all rows.

    Raises:
        InputError: fewer than two rows, or an epsilon that is not positive.
    """
    if not epsilon > 0:
        raise InputError(f"epsilon is {epsilon}: expected a number above 0")
    z = unit(embeddings)
    everything, start = gather(z)
    if len(everything) < 2:
        raise InputError(f"{len(everything)} rows: expected at least two, to have a neighbour")
    neighbours = everything[_nearest(z.detach(), everything.detach(), start)]
    squared = (z - neighbours).square().sum(1)
    return mean(-(squared + epsilon**2).log().sum() / 2, len(z))


def _nearest(
    rows: Float[Tensor, "n d"], everything: Float[Tensor, "m d"], start: int
) -> Int64[Tensor, " n"]:
    """For each row the nearest other one; row i is row ``start + i`` of ``everything``."""
    found = []
    for place in range(0, len(rows), TILE):
        tile = rows[place : place + TILE]
        cosines = tile @ everything.T
        own = start + place + torch.arange(len(tile), device=rows.device)
        cosines.scatter_(1, own[:, None], -torch.inf)
        found.append(cosines.argmax(1))
    return torch.cat(found)
