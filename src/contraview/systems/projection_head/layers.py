"""What each layer of an encoder and its head gives, and how its features are weighted."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.training.collapse import effective_rank

AT_ONCE = 512
ENCODER, HEAD = "encoder", "head"


def layer_names(encoder: nn.Module, head: nn.Module) -> tuple[str, ...]:
    """Names of the layers, from the bottom: ``block 1``, ..., ``encoder``, ``hidden``, ``head``.

    The output of the last block, averaged over the image, is ``encoder``. There is no ``hidden``
    in a head without a hidden layer, and no ``head`` where it hands its input on.
    """
    blocks = _blocks(encoder)
    names = [f"block {i + 1}" for i in range(len(blocks) - 1)] + [ENCODER]
    if any(isinstance(part, nn.ReLU) for part in head.modules()):
        names.append("hidden")
    if not isinstance(head, nn.Identity):
        names.append(HEAD)
    return tuple(names)


@torch.inference_mode()
def layer_vectors(
    encoder: nn.Module, head: nn.Module, images: Images, wanted: tuple[str, ...]
) -> dict[str, Float[np.ndarray, "n _"]]:
    """The vectors of ``images`` at the layers that are wanted; maps are averaged over positions."""
    encoder.eval()
    head.eval()
    device = next(encoder.parameters()).device
    found: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for rows in torch.arange(len(images)).split(AT_ONCE):
        for name, vectors in _passed(encoder, head, images.batch(rows, device)):
            if name in found:
                found[name].append(vectors.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


class LayerVectors(nn.Module):
    """The vectors of one layer, as `layer_vectors` gives them."""

    def __init__(self, encoder: nn.Module, head: nn.Module, layer: str) -> None:
        super().__init__()
        self.encoder, self.head, self.layer = encoder, head, layer

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        return dict(_passed(self.encoder, self.head, pixels))[self.layer]


def strengths(vectors: Float[np.ndarray, "n d"]) -> Mapping[str, float]:
    """How unequally a layer weights its directions.

    ``effective rank`` is exp of the entropy of the singular values, the mean taken away;
    ``largest share`` is the share of the variance along the strongest direction.
    """
    if not np.isfinite(vectors).all():
        raise InputError("a layer's vectors are not finite; the model is damaged: fit it again")
    centred = torch.from_numpy(vectors - vectors.mean(0))
    values = torch.linalg.svdvals(centred.double())
    variance = values.square()
    total = variance.sum().item()
    return {
        "width": float(vectors.shape[1]),
        "effective rank": effective_rank(centred),
        "largest share": variance.max().item() / total if total else 0.0,
    }


def _blocks(encoder: nn.Module) -> list[nn.Sequential]:
    """The encoder's blocks, each up to and with its ReLU."""
    assert isinstance(encoder, ImageEncoder)
    parts: list[list[nn.Module]] = [[]]
    for layer in encoder.network.blocks:
        parts[-1].append(layer)
        if isinstance(layer, nn.ReLU):
            parts.append([])
    return [nn.Sequential(*part) for part in parts if part]


def _passed(encoder: nn.Module, head: nn.Module, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
    assert isinstance(encoder, ImageEncoder)
    maps = encoder.standardise(pixels)
    blocks = _blocks(encoder)
    vectors = maps.flatten(2).mean(2)
    for i, block in enumerate(blocks):
        maps = block(maps)
        vectors = maps.flatten(2).mean(2)
        yield (f"block {i + 1}" if i < len(blocks) - 1 else ENCODER), vectors
    for layer in head if isinstance(head, nn.Sequential) else [head]:
        vectors = layer(vectors)
        if isinstance(layer, nn.ReLU):
            yield "hidden", vectors
    yield HEAD, vectors
