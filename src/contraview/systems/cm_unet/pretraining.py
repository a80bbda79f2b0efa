"""The unlabelled half of CM-UNet: hide squares, draw them again, and recognise the image."""

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize, pixel_shuffle

from contraview.core.run import Run
from contraview.modalities.images.crops import cut, random_places
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Standardise
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.networks.unet import UNetDecoder, UNetEncoder
from contraview.objectives.info_nce import info_nce
from contraview.objectives.masked_mse import masked_mse
from contraview.pairing.ema import follow, teacher_of
from contraview.pairing.masks import block_mask, random_mask
from contraview.systems.cm_unet.config import CmUnetConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step

FEATURE_MAPS = 2
"""Output maps of the feature decoder; their mean is what is compared."""


def fresh_parts(config: CmUnetConfig, channels: int, seed: int) -> tuple[UNetEncoder, UNetDecoder]:
    """Encoder and pixel decoder of a U-Net, with weights of the run's seed.

    The decoder has one map more than the image has channels and draws in those after the first:
    so a grey image is drawn in the map that becomes the vessels, as in the official code.
    """
    encoder = fresh(
        lambda: UNetEncoder(channels, config.widths, norm=config.norm), seed, "cm_unet encoder"
    )
    decoder = fresh(
        lambda: UNetDecoder(config.widths, 1 + channels, norm=config.norm), seed, "cm_unet decoder"
    )
    return channels_last(encoder), channels_last(decoder)


M = TypeVar("M", bound=nn.Module)


def channels_last(module: M) -> M:
    """The module with its weights in the memory order in which a CPU convolves a third faster."""
    return module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True)
class Shifted:
    """An image and its positive, the same place shifted.

    Attributes:
        online: what the student sees part of.
        target: what the teacher sees.
        offset: down and right, in pixels: target[y, x] shows what online[y + down, x + right] does.
    """

    online: Float[Tensor, "n c s s"]
    target: Float[Tensor, "n c s s"]
    offset: Int[Tensor, "n 2"]


def shifted(windows: Float[Tensor, "n c w w"], size: int, generator: torch.Generator) -> Shifted:
    """Cut both views out of windows that are larger than ``size`` by the largest shift."""
    most = windows.shape[2] - size
    offset = torch.randint(
        most + 1, (len(windows), 2), generator=generator, device=generator.device
    )
    pairs = zip(windows, offset.tolist(), strict=True)
    targets = [each[:, down : down + size, right : right + size] for each, (down, right) in pairs]
    return Shifted(windows[:, :, :size, :size], torch.stack(targets), offset)


@dataclass(frozen=True)
class Hidden:
    """Which pixels the network does not see, and which ones the loss counts.

    One mask a sample, the same for both, unless the official mistake is asked for.
    """

    seen_by_network: Bool[Tensor, "n 1 s s"]
    counted_in_loss: Bool[Tensor, "n 1 s s"]

    @classmethod
    def draw(cls, samples: int, config: CmUnetConfig, generator: torch.Generator) -> "Hidden":
        """Masks of ``samples`` crops."""
        side = config.crop // config.patch
        squares = random_mask(samples, side * side, config.mask_ratio, generator)
        masks = block_mask(squares, (side, side), config.patch)
        return cls(masks[:1].expand_as(masks) if config.shared_mask else masks, masks)


class Pretraining(nn.Module):
    """Student, teacher and heads; one module, so one checkpoint.

    The teacher's bottleneck has another shape than the student's feature map. A 1x1 convolution,
    random and kept as it is, brings it to four to the number of poolings channels, which are then
    laid out as one map of the size of the image. The official code draws such a convolution anew
    at every step, so its target changes at random; here it is drawn once.
    """

    def __init__(
        self, config: CmUnetConfig, encoder: UNetEncoder, pixels: UNetDecoder, seed: int
    ) -> None:
        super().__init__()
        self.encoder, self.pixels = encoder, pixels
        features = partial(UNetDecoder, config.widths, FEATURE_MAPS, norm=config.norm)
        self.features = channels_last(fresh(features, seed, "cm_unet features"))
        area = config.crop**2
        projector = partial(mlp, area, config.hidden, config.outputs)
        predictor = partial(mlp, config.outputs, config.hidden, config.outputs)
        self.projector = fresh(projector, seed, "cm_unet projector")
        self.predictor = fresh(predictor, seed, "cm_unet predictor")
        self.scale = 2 ** (len(config.widths) - 1)
        layout = partial(nn.Conv2d, config.widths[-1], self.scale**2, 1)
        self.layout = fresh(layout, seed, "cm_unet layout").requires_grad_(False)
        self.teacher_encoder = teacher_of(encoder)
        self.teacher_projector = teacher_of(self.projector)
        self.draws, self.compares = config.reconstruction > 0, config.contrast > 0
        self.features.requires_grad_(self.compares)
        self.projector.requires_grad_(self.compares)
        self.predictor.requires_grad_(self.compares)
        self.pixels.requires_grad_(self.draws)

    def forward(
        self, masked: Float[Tensor, "n c s s"], target: Float[Tensor, "n c s s"]
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """What was drawn, the student's queries and the teacher's keys; None where left out."""
        maps = self.encoder(masked)
        drawn = self.pixels(maps)[:, 1:] if self.draws else None
        if not self.compares:
            return drawn, None, None
        queries = self.predictor(self.projector(self.features(maps).mean(1).flatten(1)))
        return drawn, normalize(queries), self.keys(target)

    @torch.no_grad()
    def keys(self, target: Float[Tensor, "n c s s"]) -> Float[Tensor, "n d"]:
        """The teacher's unit vectors; no gradient."""
        bottleneck = self.layout(self.teacher_encoder(target)[-1])
        image = pixel_shuffle(bottleneck, self.scale).flatten(1)
        return normalize(self.teacher_projector(image))

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        follow(self.teacher_encoder, self.encoder, momentum)
        follow(self.teacher_projector, self.projector, momentum)


def contrast(
    queries: Float[Tensor, "n d"], keys: Float[Tensor, "n d"], temperature: float
) -> Float[Tensor, ""]:
    """InfoNCE times 2 tau, as in MoCo v3 (arXiv 2104.02057, algorithm 1).

    The factor keeps the gradient's size from growing as the temperature falls.
    """
    return 2 * temperature * info_nce(queries, keys.detach(), scale=1 / temperature)


def pretraining_loss(images: Images, standardise: Standardise, config: CmUnetConfig) -> Loss:
    """Masked reconstruction and contrast of the rows' crops, weighted."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        window = config.crop + config.shift
        _, height, width = images.shape
        places = random_places(
            len(rows), height, width, window, generator, area=config.area, flip=config.flip
        )
        views = shifted(
            standardise(cut(images.pixels, rows, places, window)), config.crop, generator
        )
        online = views.online.to(generator.device)
        target = with_noise(
            views.target.to(generator.device), standardise.spread, config, generator
        )
        hidden = Hidden.draw(len(online), config, generator)
        drawn, queries, keys = model(online.masked_fill(hidden.seen_by_network, 0), target)
        total, terms = online.new_zeros(()), {}
        if drawn is not None:
            terms["reconstruction"] = masked_mse(
                drawn,
                online,
                hidden.counted_in_loss,
                normalise=config.normalise,
                patch=config.patch,
            )
            total = total + config.reconstruction * terms["reconstruction"]
        if queries is not None:
            assert keys is not None
            terms["contrast"] = contrast(queries, keys, config.temperature)
            total = total + config.contrast * terms["contrast"]
        return Step(total, embeddings=queries, positives=keys, terms=terms)

    return loss


def with_noise(
    images: Float[Tensor, "n c h w"],
    spread: Float[Tensor, "1 c 1 1"],
    config: CmUnetConfig,
    generator: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Some of the standardised images with Gaussian noise of a random strength."""
    device = generator.device
    chance, strength = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=device)
    low, high = config.noise
    grey = (low + (high - low) * strength) * (chance < config.noise_chance)
    noise = torch.randn(images.shape, generator=generator, device=device)
    return images + noise * grey / (255 * spread.to(device))


def pretrain(
    encoder: UNetEncoder,
    pixels: UNetDecoder,
    images: Images,
    standardise: Standardise,
    config: CmUnetConfig,
    run: Run,
) -> None:
    """Train ``encoder`` and ``pixels`` in place on unlabelled images; the rest is thrown away."""
    steps = config.total_steps(len(images))
    if not steps:
        return
    schedule = Schedule(
        steps=steps,
        batch=config.batch,
        lr=config.lr,
        warmup=config.warmup,
        betas=(0.9, 0.95),
        weight_decay=config.weight_decay,
    )

    def move(model: nn.Module, _done: int) -> None:
        assert isinstance(model, Pretraining)
        model.follow(config.momentum)

    model = Pretraining(config, encoder, pixels, run.seed)
    train(
        model,
        pretraining_loss(images, standardise, config),
        epochs(len(images), config.batch, run.seed),
        schedule,
        run=run,
        name="pretrain",
        settings={"config": config.model_dump(mode="json"), "data": images.fingerprint()},
        after_step=move,
    )
    encoder.requires_grad_(True)
    pixels.requires_grad_(True)
