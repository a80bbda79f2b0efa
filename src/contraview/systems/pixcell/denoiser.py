"""The generating half of PixCell: a diffusion transformer that is told a tile's embedding."""

from functools import partial

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.frameworks.diffusion import Noising, diffusion_loss, sample
from contraview.modalities.images.data import Images
from contraview.networks.dit import DiT
from contraview.networks.fresh import fresh
from contraview.pairing.ema import follow, teacher_of
from contraview.systems.pixcell.config import PixCellConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

AT_ONCE = 256


class Averaged(nn.Module):
    """A denoiser in training and the moving average of its weights, which does the drawing."""

    def __init__(self, network: DiT) -> None:
        super().__init__()
        self.network, self.average = network, teacher_of(network)

    def forward(self, *told: Tensor | None) -> Tensor:
        """What the network in training predicts."""
        return self.network(*told)


def fresh_denoiser(
    config: PixCellConfig, shape: tuple[int, int, int], condition: int, seed: int
) -> DiT:
    """The untrained transformer for tiles of ``shape`` (channels, height, width)."""
    channels, size, _ = shape
    make = partial(
        DiT,
        channels,
        size,
        condition=condition,
        patch=config.patch,
        width=config.width,
        depth=config.depth,
        heads=config.heads,
        outputs=channels * (2 if config.learnt_variance else 1),
    )
    return fresh(make, seed, "pixcell denoiser")


def scaled(pixels: Float[Tensor, "n ..."], config: PixCellConfig) -> Float[Tensor, "n ..."]:
    """Pixels from 0 to 1 as the process takes them: the shift goes first, then the scale."""
    return (pixels - config.shift) * config.scale


def unscaled(values: Float[Tensor, "n ..."], config: PixCellConfig) -> UInt8[Tensor, "n ..."]:
    """Back to pixels from 0 to 255."""
    return ((values / config.scale + config.shift) * 255).round().clamp(0, 255).to(torch.uint8)


def learn(images: Images, embeddings: Float[Tensor, "n d"], config: PixCellConfig, run: Run) -> DiT:
    """Train a denoiser on tiles, each told its own embedding; returns the averaged weights."""
    network = fresh_denoiser(config, images.shape, embeddings.shape[1], run.seed)
    model = Averaged(network)

    def clean(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        return scaled(images.batch(rows, device), config), embeddings[rows].to(device)

    def move(module: nn.Module, done: int) -> None:
        assert isinstance(module, Averaged)
        # A young average forgets faster, or the first weights would stay in it for long.
        follow(module.average, module.network, min(config.average, done / (done + 10)))

    steps = config.total_steps(len(images))
    train(
        model,
        diffusion_loss(
            Noising(config.times, config.betas),
            clean,
            drop=config.drop,
            learnt_variance=config.learnt_variance,
        ),
        epochs(len(images), config.batch, run.seed),
        Schedule(
            steps=steps,
            batch=config.batch,
            lr=config.lr,
            warmup=min(config.warmup / steps, 0.5),
            weight_decay=config.weight_decay,
            clip=config.clip,
        ),
        run=run,
        name="denoiser",
        settings={"config": config.model_dump(mode="json"), "data": images.fingerprint()},
        after_step=move,
    )
    return model.average


def draw(
    denoiser: DiT,
    start: Float[Tensor, "n c h w"],
    conditions: Float[Tensor, "n d"] | None,
    config: PixCellConfig,
) -> UInt8[Tensor, "n c h w"]:
    """Tiles out of noise."""
    device = denoiser.places.device
    noising = Noising(config.times, config.betas)
    # Pixels lie between the images of 0 and 1, and the solver may use that.
    clip = max(abs(config.shift), abs(1 - config.shift)) * config.scale
    made: list[Tensor] = []
    for rows in torch.arange(len(start)).split(AT_ONCE):
        told = None if conditions is None else conditions[rows].to(device)
        drawn = sample(
            denoiser,
            noising,
            start[rows].to(device),
            told,
            steps=config.sampling_steps,
            guidance=config.guidance,
            order=config.order,
            clip=clip,
        )
        made.append(unscaled(drawn.cpu(), config))
    return torch.cat([torch.empty(0, *start.shape[1:], dtype=torch.uint8), *made])
