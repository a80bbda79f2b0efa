"""What two views tell of one another: a critic's InfoNCE, and walks that raise it."""

import math

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from contraview.core.config import Config
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.generators import Generator
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit
from contraview.systems.mlvgm_views.moves import Move, Noise, Walks, anchors, displacement
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step


class CriticConfig(Config):
    """The critic, and how it and the walks are trained."""

    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64), min_length=1, description="channels of its blocks, multiples of 4"
    )
    outputs: int = Field(32, ge=2, description="width of its embeddings")
    temperature: float = Field(0.1, gt=0, description="t of its InfoNCE; paper .1")
    steps: int = Field(200, ge=1, description="optimiser steps; paper up to 16,000 for a walk")
    batch: int = Field(64, ge=2, description="pairs a step; paper 64")
    lr: float = Field(1e-3, gt=0, description="peak rate; paper 5e-5 of the critic, 8e-5 of walks")
    limit: float = Field(
        2.5, gt=0, description="InfoNCE in nats above which a walk goes no further; paper 2.5"
    )
    estimates: int = Field(
        50, ge=1, description="batches that the estimate is the mean of; paper 500,000 pairs"
    )


class Critic(nn.Module):
    """Embeds the images of pairs; trained beside it, the walks that make them."""

    def __init__(self, shape: tuple[int, int, int], config: CriticConfig, move: Move) -> None:
        super().__init__()
        encoder = ImageEncoder(shape[0], config.widths)
        self.network = nn.Sequential(encoder, nn.Linear(encoder.outputs, config.outputs))
        self.scale = 1 / config.temperature
        self.move = move

    def forward(
        self, one: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, ""]:
        """InfoNCE of the pairs, in nats: log n says that nothing is shared."""
        first, second = unit(self.network(torch.cat([one, other]))).chunk(2)
        return info_nce(first, second, scale=self.scale)


def walking_loss(generator: Generator, move: Move, truncation: float, limit: float) -> Loss:
    """The critic lowers, the walk raises InfoNCE(G(z), G(z + W(z))).

    One backward pass serves both: the gradient of the moved latents is turned round. Beyond
    ``limit`` it is stopped, so a walk ends before it has left the images behind. ``move`` is the
    critic's own, which its data-parallel wrapper would not show.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], draw: torch.Generator) -> Step:
        latents = anchors(generator.latents, len(rows), truncation, draw)
        moved = move(latents, draw)
        reached: list[bool] = []
        for each in moved:
            if each.requires_grad:
                each.register_hook(lambda grad: torch.zeros_like(grad) if reached[0] else -grad)
        value = model(generator.decode(latents), generator.decode(moved))
        reached.append(value.item() > limit)
        with torch.no_grad():
            far = displacement(latents, moved)
        return Step(value, terms={"displacement": far})

    return loss


def learn(
    generator: Generator,
    move: Move,
    config: CriticConfig,
    *,
    truncation: float,
    run: Run,
    name: str,
) -> Critic:
    """A critic trained on the pairs that ``move`` makes; walks are trained against it."""
    critic = fresh(lambda: Critic(generator.shape, config, move), run.seed, "critic", name)
    train(
        critic,
        walking_loss(generator, move, truncation, config.limit),
        epochs(config.batch, config.batch, run.seed),
        Schedule.of(steps=config.steps, batch=config.batch, lr=config.lr, betas=(0.5, 0.999)),
        run=run,
        name=name,
        settings=config.model_dump(mode="json"),
    )
    return critic


def learnt_walks(
    generator: Generator, walks: Walks, config: CriticConfig, *, truncation: float, run: Run
) -> Walks:
    """Walks of all levels that may move, each against a critic of its own while the others stay."""
    every = walks.moving
    for level, moves in enumerate(every):
        if moves:
            walks.moving = tuple(other == level for other in range(len(every)))
            for other, walk in enumerate(walks.walks):
                walk.requires_grad_(other == level)
            learn(generator, walks, config, truncation=truncation, run=run, name=f"walk {level}")
    walks.moving = every
    return walks.requires_grad_(False).eval()


@torch.no_grad()
def information(
    generator: Generator,
    sizes: tuple[float, ...],
    config: CriticConfig,
    *,
    truncation: float,
    run: Run,
    name: str,
) -> float:
    """What G(z) tells of G(z + noise), in nats: log n - InfoNCE, at most log n.

    A lower bound of their mutual information (van den Oord et al. 2018, eq. 5), on pairs that the
    critic was not trained on.
    """
    move = Noise(sizes, truncation)
    with torch.enable_grad():
        critic = learn(generator, move, config, truncation=truncation, run=run, name=name)
    device = next(critic.parameters()).device
    values = []
    for number in range(config.estimates):
        draw = torch_generator(run.seed, name, "estimate", number, device=device)
        latents = anchors(generator.latents, config.batch, truncation, draw)
        views = generator.decode(latents), generator.decode(move(latents, draw))
        values.append(critic(*views).item())
    return math.log(config.batch) - sum(values) / len(values)
