"""From the embedding of one stain to that of another: a rectified flow."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from contraview.core.run import Run
from contraview.networks.dit import time_features, zeroed
from contraview.networks.fresh import fresh
from contraview.systems.pixcell.config import PixCellConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step

TIMES = 999
"""The net is told 999 t, as in the official code."""

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Places [n, d] and times [n] from 0 to 1 in, velocities [n, d] out."""


class FlowNet(nn.Module):
    """Residual perceptrons that are told the time; begins at no movement at all."""

    def __init__(self, dimensions: int, width: int, blocks: int) -> None:
        super().__init__()
        self.width = width
        self.enter = nn.Linear(dimensions, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        self.leave = zeroed(nn.Linear(width, dimensions))

    def forward(self, places: Float[Tensor, "n d"], times: Float[Tensor, " n"]) -> Tensor:
        """The velocity at each place."""
        told = self.time(time_features(TIMES * times, self.width))
        hidden = self.enter(places)
        for block in self.blocks:
            hidden = hidden + block(hidden + told)
        return self.leave(hidden)


def flow_loss(start: Float[Tensor, "n d"], end: Float[Tensor, "n d"]) -> Loss:
    """Mean of |v(x_t, t) - (end - start)|^2 at x_t = t end + (1 - t) start, uniform t.

    Liu et al. 2022, arXiv 2209.03003, eq. 1.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        device = generator.device
        one, other = start[rows].to(device), end[rows].to(device)
        times = torch.rand(len(rows), generator=generator, device=device)
        places = times[:, None] * other + (1 - times[:, None]) * one
        return Step(mse_loss(model(places, times), other - one))

    return loss


@torch.no_grad()
def follow_flow(
    velocity: Velocity, start: Float[Tensor, "n d"], steps: int
) -> Float[Tensor, "n d"]:
    """Where the flow leads from ``start``, by ``steps`` steps of Euler."""
    places = start
    for step in range(steps):
        times = torch.full((len(places),), step / steps)
        places = places + velocity(places, times) / steps
    return places


def fresh_flow(config: PixCellConfig, dimensions: int, seed: int) -> FlowNet:
    """The untrained net."""
    make = partial(FlowNet, dimensions, config.flow_width, config.flow_blocks)
    return fresh(make, seed, "pixcell flow")


def learn_flow(
    start: Float[Tensor, "n d"],
    end: Float[Tensor, "n d"],
    config: PixCellConfig,
    run: Run,
    pairs: str = "",
) -> FlowNet:
    """The flow that leads from each row of ``start`` to that of ``end``.

    ``pairs`` is their fingerprint: a checkpoint of other pairs is refused.
    """
    net = fresh_flow(config, start.shape[1], run.seed)
    train(
        net,
        flow_loss(start, end),
        epochs(len(start), config.flow_batch, run.seed),
        Schedule(steps=config.flow_steps, batch=config.flow_batch, lr=config.flow_lr, warmup=0.05),
        run=run,
        name="flow",
        settings={"config": config.model_dump(mode="json"), "data": pairs},
    )
    return net.cpu()
