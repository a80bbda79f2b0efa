"""Square crops at random places, and the same crops of the masks."""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

Places = Int[Tensor, "n 4"]
"""A crop a row: top, left, side in pixels, and whether it is mirrored (1) or not (0)."""


def random_places(
    count: int,
    height: int,
    width: int,
    size: int,
    generator: torch.Generator,
    *,
    area: tuple[float, float] | None = None,
    flip: float = 0.5,
) -> Places:
    """Where to cut, uniform over the places at which the square fits.

    Args:
        count: crops to place.
        height: of the images in pixels.
        width: of the images in pixels.
        size: side of the crops in pixels.
        generator: every draw comes from it.
        area: the share of the image that a crop covers is drawn from this range, and the crop is
            brought to ``size`` by `cut`; None cuts ``size`` pixels as they are.
        flip: how likely a crop is mirrored, left to right.
    """
    share, down, right, mirror = torch.rand(
        4, count, generator=generator, device=generator.device, dtype=torch.float64
    ).cpu()
    side = torch.full((count,), size)
    if area is not None:
        covered = area[0] + share * (area[1] - area[0])
        side = (covered * height * width).sqrt().round().long().clamp(1, min(height, width))
    top = (down * ((height - side).clamp(min=0) + 1)).long()
    left = (right * ((width - side).clamp(min=0) + 1)).long()
    return torch.stack([top, left, side, (mirror < flip).long()], dim=1)


def cut(
    images: UInt8[np.ndarray, "m c h w"], rows: Int[Tensor, " n"], places: Places, size: int
) -> Float[Tensor, "n c s s"]:
    """The crops of the images ``rows``, from 0 to 1; sides other than ``size`` are interpolated.

    What lies outside an image that is smaller than the crop repeats its edge.
    """
    pieces: list[Tensor] = []
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        piece = _piece(images[row], place)[None].float() / 255
        if piece.shape[-1] != size:
            piece = interpolate(
                piece, (size, size), mode="bilinear", align_corners=False, antialias=True
            )
        pieces.append(piece)
    return torch.cat(pieces)


def cut_masks(
    masks: UInt8[np.ndarray, "m h w"], rows: Int[Tensor, " n"], places: Places, size: int
) -> Int[Tensor, "n s s"]:
    """The same crops of class numbers: each pixel takes the class of the nearest one."""
    pieces: list[Tensor] = []
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        piece = _piece(masks[row][None], place)
        if piece.shape[-1] != size:
            piece = interpolate(piece[None].float(), (size, size), mode="nearest-exact")[0]
        pieces.append(piece.long())
    return torch.cat(pieces)


def _piece(image: UInt8[np.ndarray, "c h w"], place: list[int]) -> UInt8[Tensor, "c s s"]:
    top, left, side, mirrored = place
    piece = image[:, top : top + side, left : left + side]
    below, beside = side - piece.shape[1], side - piece.shape[2]
    piece = np.pad(piece, ((0, 0), (0, below), (0, beside)), mode="edge")
    return torch.from_numpy(piece[:, :, ::-1].copy() if mirrored else piece)
