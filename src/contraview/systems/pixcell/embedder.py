"""The frozen eye of PixCell: a SimCLR encoder of tiles, fitted first and never changed again."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.frameworks.two_view import two_view
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.pixcell.config import PixCellConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

AT_ONCE = 512
FLOOR = 0.1
"""A dimension that varies by less than this share of the mean spread is not blown up: after ReLU
some are almost dead on the tiles of the fit, and would outweigh all others on other tiles."""
HEAD = 64
"""Dimensions that NT-Xent compares; the head is thrown away."""


class Embedder(nn.Module):
    """Tiles to embeddings; each dimension has zero mean and unit spread over the fit's tiles."""

    middle: Tensor
    spread: Tensor

    def __init__(self, config: PixCellConfig, channels: int, seed: int) -> None:
        super().__init__()
        make = partial(ImageEncoder, channels, config.embedder_widths)
        self.encoder = fresh(make, seed, "pixcell embedder")
        self.outputs = self.encoder.outputs
        self.register_buffer("middle", torch.zeros(self.outputs))
        self.register_buffer("spread", torch.ones(self.outputs))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The standardised embeddings of pixels from 0 to 1."""
        return (self.encoder(pixels) - self.middle) / self.spread

    @torch.no_grad()
    def of(self, images: Images) -> Float[Tensor, "n d"]:
        """The embedding of each image, on the CPU."""
        device = self.middle.device
        parts = torch.arange(len(images)).split(AT_ONCE)
        found = [self(images.batch(rows, device)).cpu() for rows in parts]
        return torch.cat([torch.empty(0, self.outputs), *found])

    def learn(self, images: Images, config: PixCellConfig, run: Run) -> None:
        """Fit by SimCLR, then take up mean and spread; frozen from here on."""
        self.encoder.standardise.learn(images)

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels = images.batch(rows, generator.device)
            return config.views(pixels, generator), config.views(pixels, generator)

        widths = (self.outputs, self.outputs, HEAD)
        head = fresh(partial(mlp, *widths), run.seed, "pixcell head")
        train(
            nn.Sequential(self.encoder, head),
            two_view(views, partial(nt_xent, temperature=config.embedder_temperature)),
            epochs(len(images), config.embedder_batch, run.seed),
            Schedule(
                steps=config.embedder_steps,
                batch=config.embedder_batch,
                lr=config.embedder_lr,
                warmup=0.1,
                weight_decay=1e-4,
            ),
            run=run,
            name="embedder",
            settings={"config": config.model_dump(mode="json"), "data": images.fingerprint()},
        )
        self.requires_grad_(False)
        found = self.of(images)
        self.middle.copy_(found.mean(0))
        spread = found.std(0, correction=0)
        self.spread.copy_(spread.clamp(min=max(FLOOR * float(spread.mean()), 1e-6)))
