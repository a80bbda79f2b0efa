"""Pseudo-classes of images: a denoising autoencoder, and k-means on its latents."""

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from contraview.core.config import Config
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.frameworks.images.embedding import embedded
from contraview.modalities.images.data import Images
from contraview.networks.conv import ConvEncoder
from contraview.networks.fresh import fresh
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step


class PseudoClasses(Config):
    """How pseudo-classes are found."""

    count: int | None = Field(
        None, ge=2, description="k of k-means; unset: as many as a batch has images, as the paper"
    )
    noise: float = Field(0.01, ge=0, description="standard deviation added to pixels from 0 to 1")
    widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128),
        min_length=1,
        description="channels of the autoencoder's blocks, multiples of 4; k-means sees the last",
    )
    steps: int = Field(300, ge=1, description="optimiser steps of the autoencoder")
    batch: int = Field(64, ge=1, description="images a step of the autoencoder")
    lr: float = Field(1e-3, gt=0, description="peak learning rate of the autoencoder, AdamW")

    def find(self, images: Images, count: int, run: Run) -> Int[np.ndarray, " n"]:
        """The pseudo-class of each image, at most ``count`` of them unless settings say another.

        The latent of an image is the mean of the autoencoder's map over positions.
        """
        from sklearn.cluster import KMeans

        network = fresh(
            lambda: DenoisingAutoencoder(images.shape, self.widths), run.seed, "autoencoder"
        )
        train(
            network,
            denoising_loss(images, self.noise),
            epochs(len(images), self.batch, run.seed),
            Schedule.of(steps=self.steps, batch=self.batch, lr=self.lr),
            run=run,
            name="autoencoder",
            settings=self.model_dump(mode="json") | {"fingerprint": images.fingerprint()},
        )
        latents = embedded(network.encoder, images)
        draw = numpy_generator(run.seed, "pseudo-classes")
        means = KMeans(
            min(self.count or count, len(images)),
            n_init="auto",
            random_state=int(draw.integers(2**31)),
        )
        return means.fit_predict(latents).astype(np.int64)


class DenoisingAutoencoder(nn.Module):
    """Tells the image from itself with noise on, through a map of an eighth of its size.

    Args:
        shape: channels, height and width of the images.
        widths: of the blocks; the decoder mirrors them.
    """

    def __init__(self, shape: tuple[int, int, int], widths: tuple[int, ...]) -> None:
        super().__init__()
        channels, height, width = shape
        self.encoder = ConvEncoder(channels, widths, dimensions=2)
        sizes = [(height, width)]
        for _ in widths[1:]:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        layers: list[nn.Module] = []
        for inputs, outputs, size in zip(
            widths[::-1], (*widths[-2::-1], widths[0]), sizes[::-1], strict=True
        ):
            layers += [
                nn.Upsample(size, mode="nearest-exact"),
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.GroupNorm(min(8, outputs // 4), outputs),
                nn.ReLU(),
            ]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The image without its noise, from 0 to 1."""
        items = pixels.contiguous(memory_format=torch.channels_last)
        return self.decoder(self.encoder.features(items)).sigmoid()


def denoising_loss(images: Images, noise: float) -> Loss:
    """The mean squared error between an image and what is told of its noisy copy."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels = images.batch(rows, generator.device)
        drawn = torch.randn(pixels.shape, generator=generator, device=generator.device)
        return Step(mse_loss(model(pixels + noise * drawn), pixels))

    return loss
