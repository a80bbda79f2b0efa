"""Which parts of an item are hidden. One mask a sample; input and loss are given the same one."""

import torch
from jaxtyping import Bool
from torch import Tensor


def random_mask(
    samples: int, places: int, ratio: float, generator: torch.Generator
) -> Bool[Tensor, "n p"]:
    """Hide exactly round(ratio * places) random places of each sample; True is hidden."""
    hidden = round(ratio * places)
    order = torch.rand(samples, places, generator=generator, device=generator.device).argsort(1)
    return order < hidden


def block_mask(
    mask: Bool[Tensor, "n p"], grid: tuple[int, ...], block: int
) -> Bool[Tensor, "n 1 *positions"]:
    """A mask of blocks as a mask of positions: each place of the ``grid`` is ``block`` wide.

    ``grid`` is (rows, columns) for images, with one entry or three for signals or volumes; its
    product is the number of places of ``mask``.
    """
    positions = mask.view(len(mask), 1, *grid)
    for axis in range(2, positions.ndim):
        positions = positions.repeat_interleave(block, dim=axis)
    return positions
