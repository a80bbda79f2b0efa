"""Pre-training as CLAN and its siblings share it; they differ in the objective alone."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.modalities.flows.nets import ResidualMLP
from contraview.networks.fresh import fresh
from contraview.systems.clan.config import ClanConfig
from contraview.systems.clan.negatives import Corrupter, MassNegatives
from contraview.training.grad_cache import in_chunks
from contraview.training.loop import train
from contraview.training.samplers import bootstrap
from contraview.training.schedule import Schedule
from contraview.training.step import Step

Objective = Callable[[Float[Tensor, "n e"], Float[Tensor, "n e"]], Float[Tensor, ""]]
"""Embeddings of rows and of their corrupted copies in, a loss out."""


def fresh_encoder(config: ClanConfig, inputs: int, seed: int) -> ResidualMLP:
    """An encoder with the initial weights that ``seed`` gives: the same for every sibling."""

    def make() -> ResidualMLP:
        return ResidualMLP(
            inputs,
            width=config.width,
            depth=config.depth,
            outputs=config.outputs,
            dropout=config.dropout,
        )

    return fresh(make, seed, "encoder")


def schedule_of(config: ClanConfig, steps: int) -> Schedule:
    """The pre-training schedule: a linear warm-up inside the total, then a half cosine."""
    return Schedule(
        steps=steps,
        batch=config.batch,
        lr=config.lr,
        start_lr=config.lr_ends,
        final_lr=config.lr_ends,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
    )


@dataclass(frozen=True)
class Pretraining:
    """Rows, their corrupted copies, one forward pass over both, and an objective on the two."""

    config: ClanConfig
    objective: Objective
    corrupt: Corrupter

    def __call__(
        self,
        encoder: nn.Module,
        rows: Float[Tensor, "n d"],
        *,
        run: Run,
        steps: int,
        name: str = "pretrain",
    ) -> None:
        """Train ``encoder`` in place for ``steps`` steps on benign ``rows``.

        Each step's rows are drawn with replacement, as the official class-balanced sampler does
        where there is one class. Rows and copies go through the network in one concatenated pass,
        and gradients flow through both.
        """
        config = self.config
        masses = None
        if config.mass_negatives:
            masses = MassNegatives(rows, config.mass_clusters, run.seed)

        def loss(encoder: nn.Module, chosen: Int[Tensor, " b"], generator: torch.Generator) -> Step:
            batch = rows[chosen]
            altered = self.corrupt(batch, generator)
            if masses is not None:
                benign = round(config.mass_negatives * len(altered))
                altered[:benign] = rows[masses.draw(benign, generator)]

            def passes(batch: Tensor, altered: Tensor) -> tuple[Tensor, ...]:
                return encoder(torch.cat([batch, altered])).split(len(batch))

            (own, other), after = in_chunks(encoder, passes, (batch, altered), config.chunk)
            loss = self.objective(own, other)
            return Step(loss, embeddings=own, narrow=True, after_backward=after)

        train(
            encoder,
            loss,
            bootstrap(len(rows), config.batch, run.seed),
            schedule_of(config, steps),
            run=run,
            name=name,
            settings=config.model_dump(mode="json") | {"rows": list(rows.shape)},
        )
