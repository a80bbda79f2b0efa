"""A cloud as patches: centres spread by farthest-point sampling, and the points nearest to each."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def farthest_points(points: Float[Tensor, "n p 3"], count: int) -> Int[Tensor, "n count"]:
    """Which points of each cloud are spread furthest over it, all clouds at once.

    The first is the one furthest from the mean, so the choice does not hang on the order of the
    points (the official code begins with the first of the list); each further one has the largest
    distance to those chosen so far (Eldar et al. 1997). ``count`` must not exceed p.
    """
    clouds = torch.arange(points.shape[0], device=points.device)
    chosen = torch.empty(points.shape[0], count, dtype=torch.long, device=points.device)
    apart = (points - points.mean(1, keepdim=True)).square().sum(2)
    nearest = torch.full_like(apart, torch.inf)
    for i in range(count):
        chosen[:, i] = apart.argmax(1)
        centre = points[clouds, chosen[:, i], None]
        nearest = torch.minimum(nearest, (points - centre).square().sum(2))
        apart = nearest
    return chosen


def patches(
    points: Float[Tensor, "n p 3"], count: int, size: int
) -> tuple[Float[Tensor, "n count size 3"], Float[Tensor, "n count 3"]]:
    """``count`` patches of the ``size`` points nearest to a centre, relative to it; the centres."""
    clouds = torch.arange(points.shape[0], device=points.device)[:, None]
    centres = points[clouds, farthest_points(points, count)]
    members = torch.cdist(centres, points).topk(size, largest=False).indices
    return points[clouds[:, :, None], members] - centres[:, :, None], centres
