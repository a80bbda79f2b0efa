"""Reconstruction of what was hidden, as masked autoencoders are judged."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import mean

Normalise = Literal["none", "patch", "row"]
EPSILON = 1e-6


def masked_mse(
    predicted: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n c h w"],
    hidden: Bool[Tensor, "n _ h w"],
    *,
    normalise: Normalise = "none",
    patch: int = 16,
) -> Float[Tensor, ""]:
    """The mean of (predicted - target)^2 over hidden pixels; visible ones count for nothing.

    He et al. 2022 (MAE, arXiv 2111.06377), section 3. With ``normalise`` the target's pixels are
    (x - mean) / sqrt(variance + 1e-6) of their square ``patch``, per channel, as in MAE; or of
    their row of pixels, which is what CM-UNet's official code computes under the same name.

    Args:
        predicted: [n, c, h, w].
        target: of the same shape.
        hidden: which pixels the network did not see; one mask for all channels or one each.
        normalise: by what statistics the target is standardised.
        patch: side of the patches in pixels; it divides h and w.

    Across processes squares and pixels are added up, then divided. No hidden pixel: zero.
    """
    wanted = normalised(target, normalise, patch)
    counted = hidden.expand_as(predicted)
    squares = (predicted - wanted).square().where(counted, 0)
    return mean(squares.sum(), counted.sum())


def normalised(
    images: Float[Tensor, "n c h w"], by: Normalise, patch: int = 16
) -> Float[Tensor, "n c h w"]:
    """The images as `masked_mse` compares with them."""
    if by == "none":
        return images
    if by == "row":
        return _standard(images, (3,))
    n, c, h, w = images.shape
    if h % patch or w % patch:
        raise InputError(f"images of {h} x {w} pixels cannot be cut into patches of {patch}")
    patches = images.reshape(n, c, h // patch, patch, w // patch, patch)
    return _standard(patches, (3, 5)).reshape(n, c, h, w)


def _standard(values: Tensor, over: tuple[int, ...]) -> Tensor:
    variance, average = torch.var_mean(values, over, correction=0, keepdim=True)
    return (values - average) / (variance + EPSILON).sqrt()
