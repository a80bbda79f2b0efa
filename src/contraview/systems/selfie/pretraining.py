"""The pre-training task: which of the missing patches belongs to this place?"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.modalities.images.data import Images
from contraview.modalities.images.views import jittered
from contraview.pairing.masks import random_mask
from contraview.systems.selfie.config import SelfieConfig
from contraview.systems.selfie.network import cut_patches
from contraview.training.step import Loss, Step


def choices(
    queries: Float[Tensor, "n m d"], keys: Float[Tensor, "n m d"]
) -> Float[Tensor, "n m m"]:
    """The logit v_k . h_j of each missing place k for each missing patch j of the same image.

    Products are neither normalised nor divided by a temperature.
    """
    return queries @ keys.mT


def choice_loss(logits: Float[Tensor, "n m m"]) -> Float[Tensor, ""]:
    """The mean over places k of all images of ``-log(exp(v_k.h_k) / sum_j exp(v_k.h_j))``.

    Candidates j are the missing patches of the same image alone.
    """
    return cross_entropy(logits.flatten(0, 1), answers(logits))


def answers(logits: Float[Tensor, "n m m"]) -> Int[Tensor, " nm"]:
    """The right candidate of each place: its own number."""
    n, m, _ = logits.shape
    return torch.arange(m, device=logits.device).repeat(n)


def choice_accuracy(logits: Float[Tensor, "n m m"]) -> Float[Tensor, ""]:
    """The share of places at which the right patch has the largest logit."""
    return (logits.flatten(0, 1).argmax(1) == answers(logits)).float().mean()


def pretraining_loss(images: Images, config: SelfieConfig) -> Loss:
    """The loss of a `PatchChoice`, on a view of each image, with a new mask at every step."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels = config.views(images.batch(rows, generator.device), generator)
        patches = altered(cut_patches(pixels, config.grid), config, generator)
        hidden = random_mask(len(rows), patches.shape[1], config.hidden, generator)
        order = None
        if config.shuffled:
            drawn = torch.rand(
                len(rows), config.missing, generator=generator, device=generator.device
            )
            order = drawn.argsort(1)
        queries, keys = model(patches, hidden, order)
        logits = choices(queries, keys)
        terms = {
            "accuracy": choice_accuracy(logits),
            "chance": 1 / config.missing,
            "logit_deviation": logits.detach().std(2).mean(),
        }
        return Step(choice_loss(logits), embeddings=keys[:, 0], terms=terms)

    return loss


def altered(
    patches: Float[Tensor, "n p c s s"], config: SelfieConfig, generator: torch.Generator
) -> Float[Tensor, "n p c t t"]:
    """Each patch cut and recoloured by itself, where this is asked for."""
    n, p, _, side, _ = patches.shape
    alone = patches.flatten(0, 1)
    if config.patch_crop:
        alone = cropped(alone, side - config.patch_crop, generator)
    if config.patch_jitter:
        alone = jittered(alone, generator, strength=config.patch_jitter)
    return alone.unflatten(0, (n, p))


def cropped(
    patches: Float[Tensor, "n c s s"], side: int, generator: torch.Generator
) -> Float[Tensor, "n c t t"]:
    """A square of ``side`` pixels at a random place of each patch."""
    slack = patches.shape[-1] - side + 1
    first = torch.randint(slack, (2, len(patches), 1), generator=generator, device=generator.device)
    down, right = first + torch.arange(side, device=first.device)
    every = torch.arange(len(patches), device=first.device)[:, None, None]
    return patches.permute(0, 2, 3, 1)[every, down[:, :, None], right[:, None]].permute(0, 3, 1, 2)
