"""The loss of a step and the training of the autoencoder."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from contraview.core.run import Run
from contraview.modalities.clouds.views import scale_and_translate
from contraview.objectives.chamfer import chamfer
from contraview.objectives.nt_xent import nt_xent
from contraview.pairing.masks import random_mask
from contraview.systems.point_cmae.config import PointCmaeConfig
from contraview.systems.point_cmae.network import Autoencoder, Branch
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Step


def consistency(
    one: Float[Tensor, "n g d"],
    other: Float[Tensor, "n g d"],
    both: Bool[Tensor, "n g"],
    match: Literal["same", "all"] = "same",
) -> Float[Tensor, ""]:
    """How far the two branches are from agreeing on what both of them had to imagine.

    The mean of 1 - cos(f_i, f'_j) over the places i that are hidden in both masks, and j = i as
    the paper says (section 3.3), or over all places j of the same cloud, as the official code
    computes it. Zero where no place is hidden twice.
    """
    if match == "same":
        apart = 1 - cosine_similarity(one, other, dim=2)
    else:
        apart = 1 - (normalize(one, dim=2) @ normalize(other, dim=2).transpose(1, 2)).mean(2)
    return (apart * both).sum() / both.sum().clamp(min=1)


def pretrain(
    network: Autoencoder,
    clouds: Float[Tensor, "n p 3"],
    config: PointCmaeConfig,
    run: Run,
    fingerprint: str,
) -> None:
    """Train ``network`` in place on clouds in the unit sphere."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        batch = clouds[rows].to(generator.device)
        # Each copy has a stretch and a place of its own; masks of one copy share its patches.
        copies = 2 if config.contrast == "clouds" else 1
        altered = [
            scale_and_translate(batch, generator, scale=config.scale, shift=config.shift)
            for _ in range(copies)
        ]
        hidden = [
            random_mask(len(batch), config.patches, config.mask_ratio, generator)
            for _ in range(config.masks)
        ]
        return _step(model(altered, hidden), hidden, config)

    schedule = Schedule(
        steps=config.total_steps(len(clouds)),
        batch=min(config.batch, len(clouds)),
        lr=config.lr,
        warmup=config.warmup,
        start_lr=1e-6,
        final_lr=1e-6,
        weight_decay=config.weight_decay,
    )
    train(
        network,
        loss,
        epochs(len(clouds), config.batch, run.seed),
        schedule,
        run=run,
        name="pretrain",
        settings=config.model_dump(mode="json") | {"data": fingerprint},
    )


def _step(
    branches: list[Branch], hidden: list[Bool[Tensor, "n g"]], config: PointCmaeConfig
) -> Step:
    rebuilt = torch.stack([chamfer(b.rebuilt, b.truth) for b in branches]).sum()
    terms: dict[str, Tensor | float] = {"chamfer": rebuilt}
    whole = config.reconstruction * rebuilt
    if config.contrast == "tokens":
        one, other = (branch.decoded for branch in branches)
        agreed = consistency(one, other, hidden[0] & hidden[1], config.match)
        whole, terms["consistency"] = whole + config.contrast_weight * agreed, agreed
    elif config.contrast == "clouds":
        one, other = (branch.projected for branch in branches)
        assert one is not None
        assert other is not None
        told = nt_xent(one, other, config.temperature)
        whole, terms["nt_xent"] = whole + config.contrast_weight * told, told
    return Step(whole, embeddings=branches[0].shape, terms=terms)
