"""Settings of a small generator, and how it is learnt from images."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.frameworks.generators.diffusion import Diffusion, denoising_loss
from contraview.frameworks.generators.gan import Gan, gan_loss
from contraview.frameworks.generators.generator import Generator
from contraview.frameworks.generators.pca import PcaGaussian
from contraview.frameworks.generators.vae import Vae, vae_loss
from contraview.modalities.images.data import Images
from contraview.networks.fresh import fresh
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

Kind = Literal["vae", "gan", "pca", "diffusion"]
FEWEST = 8
"""Images below this number teach nothing."""


class GeneratorConfig(Config):
    """Which generator, how large, how long it learns."""

    kind: Kind = Field(
        "vae",
        description="vae: variational autoencoder, with several latents a ladder; gan: adversarial "
        "network; pca: normal along principal components; diffusion: denoising by a small U-Net",
    )
    latents: tuple[PositiveInt, ...] = Field(
        (24,),
        min_length=1,
        description="width of each level of latents, coarsest first; pca takes one level, "
        "diffusion has one number a pixel whatever is said",
    )
    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64),
        min_length=1,
        description="channels of the blocks, finest first, multiples of 4; of diffusion of 8",
    )
    beta: float = Field(1.0, ge=0, description="weight of a vae's KL; 1 is the evidence bound")
    steps: int = Field(400, ge=1, description="optimiser steps; pca takes none")
    batch: int = Field(64, ge=1, description="images a step")
    lr: float = Field(2e-3, gt=0, description="peak learning rate of AdamW")

    @model_validator(mode="after")
    def _levels(self) -> "GeneratorConfig":
        most = 1 if self.kind == "pca" else len(self.widths)
        if self.kind != "diffusion" and len(self.latents) > most:
            raise ValueError(
                f"{len(self.latents)} levels of latents; expected at most {most} for {self.kind} "
                f"with {len(self.widths)} widths"
            )
        return self


def fresh_generator(config: GeneratorConfig, shape: tuple[int, int, int], seed: int) -> Generator:
    """The untrained generator of images of ``shape`` (channels, height, width)."""

    def make() -> Generator:
        match config.kind:
            case "vae":
                return Vae(config.latents, shape, config.widths)
            case "gan":
                return Gan(config.latents, shape, config.widths)
            case "pca":
                return PcaGaussian((config.latents[0],), shape)
            case "diffusion":
                return Diffusion(shape, config.widths)

    if config.kind == "diffusion" and (shape[1] % 2 or shape[2] % 2):
        raise InputError(
            f"images of {shape[2]} x {shape[1]} for a diffusion generator; expected even sides: "
            "read them with --size"
        )
    return fresh(make, seed, "generator", config.kind)


def learn_generator(
    config: GeneratorConfig, images: Images, run: Run, *, name: str | None = None
) -> Generator:
    """A generator learnt from images, frozen and in evaluation mode.

    Args:
        config: which one.
        images: what it is to make more of; labels are not seen.
        run: seed, folder and progress.
        name: of this training among those of the run; the kind by default.

    Raises:
        InputError: fewer than 8 images, or sizes that the kind cannot make.
    """
    if len(images) < FEWEST:
        raise InputError(
            f"{len(images)} images to learn a generator from; expected at least {FEWEST}"
        )
    generator = fresh_generator(config, images.shape, run.seed)
    if isinstance(generator, PcaGaussian):
        generator.learn(images)
        return generator.eval()
    betas = (0.9, 0.999)
    if isinstance(generator, Gan):
        loss = gan_loss(images, generator.latents)
        betas = (0.5, 0.999)  # as DCGAN (Radford et al. 2015) found stable
    elif isinstance(generator, Diffusion):
        loss = denoising_loss(images, generator.noising)
    else:
        loss = vae_loss(images, config.beta, generator.latents)
    train(
        generator,
        loss,
        epochs(len(images), config.batch, run.seed),
        Schedule.of(
            steps=config.steps,
            batch=config.batch,
            lr=config.lr,
            warmup=0.05 if config.steps > 20 else 0.0,
            betas=betas,
            clip=100.0 if isinstance(generator, Vae) else 1.0,
        ),
        run=run,
        name=name or config.kind,
        settings={"config": config.model_dump(mode="json"), "data": images.fingerprint()},
    )
    return generator.requires_grad_(False)
