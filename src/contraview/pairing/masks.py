"""Which parts of an item are hidden. One mask a sample; input and loss are given the same one."""

import torch
from jaxtyping import Bool, Float
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


def taken(tokens: Float[Tensor, "n p d"], where: Bool[Tensor, "n p"]) -> Float[Tensor, "n k d"]:
    """The tokens ``where`` it says so, in order: the same number k of each sample."""
    return tokens[where].view(len(tokens), -1, tokens.shape[2])


def put_back(
    visible: Float[Tensor, "n v d"], hidden: Bool[Tensor, "n p"], token: Float[Tensor, " d"]
) -> Float[Tensor, "n p d"]:
    """The visible tokens at their places again, and ``token`` at each place that is hidden."""
    whole = token.expand(*hidden.shape, -1).clone()
    whole[~hidden] = visible.flatten(0, 1)
    return whole
