"""Clouds in a common frame, and altered copies of them."""

import torch
from jaxtyping import Float
from torch import Tensor


def unit_sphere(points: Float[Tensor, "n p 3"]) -> Float[Tensor, "n p 3"]:
    """Each cloud moved to its mean and divided by the distance of its furthest point."""
    centred = points - points.mean(1, keepdim=True)
    reach = torch.linalg.vector_norm(centred, dim=2).amax(1)[:, None, None]
    return centred / torch.where(reach > 0, reach, 1.0)


def scale_and_translate(
    points: Float[Tensor, "n p 3"],
    generator: torch.Generator,
    *,
    scale: float = 1.5,
    shift: float = 0.2,
) -> Float[Tensor, "n p 3"]:
    """Each axis of each cloud stretched by 1/scale to scale and moved by -shift to shift.

    Factors are uniform between the ends, as in Point-MAE's official code (2/3 to 3/2 and 0.2).
    """

    def uniform() -> Tensor:
        return torch.rand(
            len(points), 1, 3, generator=generator, device=points.device, dtype=points.dtype
        )

    factor = 1 / scale + (scale - 1 / scale) * uniform()
    return points * factor + shift * (2 * uniform() - 1)
