"""The network of all variants, and the contrast of each."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.modalities.series.nets import StepDecoder, StepEncoder
from contraview.networks.mlp import mlp
from contraview.objectives.distributed import gather
from contraview.objectives.hierarchical import hierarchical, instance_contrast
from contraview.objectives.unit import unit
from contraview.pairing.ema import teacher_of
from contraview.pairing.queue import KeyQueue
from contraview.systems.ts_forecast.config import TsForecastConfig

Steps = Float[Tensor, "n t d"]

SMALL = 1e-6
"""Keeps the angle of a wave of no height differentiable."""


class ForecastNetwork(nn.Module):
    """Encoder, decoder, projection; for MoCo also a teacher of the encoder, and a queue."""

    def __init__(self, channels: int, wanted: list[int], config: TsForecastConfig) -> None:
        super().__init__()
        self.wanted, self.centred = wanted, config.centre
        width = config.outputs
        self.encoder = StepEncoder(
            channels,
            config.length,
            width=config.width,
            outputs=width,
            backbone=config.backbone,
            depth=config.depth,
            heads=config.heads,
            dropout=config.dropout,
        )
        self.projection = mlp(width, width, width)
        self.decoder = StepDecoder(width, len(wanted), config.horizon)
        self.teacher = self.queue = None
        if config.contrast in ("moco", "cost"):
            self.teacher = teacher_of(nn.Sequential(self.encoder, self.projection))
            self.queue = KeyQueue(config.queue, width if config.contrast == "moco" else width // 2)

    def forward(
        self,
        windows: Float[Tensor, "n t c"],
        kept: Bool[Tensor, "n t"] | None = None,
        altered: Float[Tensor, "n t c"] | None = None,
    ) -> tuple[Float[Tensor, "n h k"], Steps, Steps | None, Steps | None]:
        """The forecast, the projected steps, those of the other view, and the teacher's keys.

        The other view is the window with the steps dropped that are not ``kept``, or ``altered``.
        """
        level = self.level(windows)
        windows = windows - level
        steps = self.encoder(windows)
        other = keys = None
        if kept is not None:
            other = self.projection(self.encoder(windows, kept))
        if altered is not None:
            altered = altered - self.level(altered)
            other = self.projection(self.encoder(altered))
            if self.teacher is not None:
                with torch.no_grad():
                    keys = self.teacher(altered)
        forecast = self.decoder(steps) + level[..., self.wanted]
        return forecast, self.projection(steps), other, keys

    def level(self, windows: Float[Tensor, "n t c"]) -> Float[Tensor, "n 1 c"]:
        """What is taken from each window before it is read: its mean, or nothing."""
        mean = windows.mean(1, keepdim=True)
        return mean if self.centred else torch.zeros_like(mean)

    def student(self) -> nn.Module:
        """What the teacher follows."""
        return nn.Sequential(self.encoder, self.projection)


def steps_contrast(one: Steps, other: Steps, config: TsForecastConfig) -> Float[Tensor, ""]:
    """TS2Vec's loss of the projected steps of both views."""
    if config.unit:
        one, other = _unit_steps(one), _unit_steps(other)
    return hierarchical(one, other, config.alpha)


def moco_contrast(
    queries: Steps,
    keys: Steps,
    queue: KeyQueue,
    config: TsForecastConfig,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """InfoNCE of a window's vector with the teacher's key, against the keys of the queue alone.

    With nothing in the queue yet, at the first step, there is nothing to tell apart: zero.
    """
    if config.vector == "mean":
        query, key = queries.mean(1), keys.mean(1)
    else:  # one step for the whole batch, as in the official code
        step = int(
            torch.randint(queries.shape[1], (), generator=generator, device=generator.device)
        )
        query, key = queries[:, step], keys[:, step]
    if config.unit:
        query, key = unit(query), unit(key)
    earlier = queue.keys()
    queue.push(gather(key)[0], unit=False)  # unit vectors already, or as they are for parity
    if not len(earlier):
        return query.sum() * 0
    positive = (query * key).sum(1, keepdim=True)
    logits = torch.cat([positive, query @ earlier.T], 1) / config.temperature
    return cross_entropy(logits, torch.zeros_like(logits[:, 0], dtype=torch.int64))


def cost_contrast(
    one: Steps,
    other: Steps,
    keys: Steps,
    queue: KeyQueue,
    config: TsForecastConfig,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """CoST's: MoCo on the first half of a vector (trend); on the second (season) which window has
    the same amplitudes, and which the same phases, at each frequency.

    As in the official code both views of the season come from the encoder that is trained.
    """
    half = one.shape[2] // 2
    trend = moco_contrast(one[..., :half], keys[..., :half], queue, config, generator)
    waves = [torch.fft.rfft(_unit_steps(z[..., half:]), dim=1) for z in (one, other)]
    amplitude = instance_contrast(*((wave.abs() + SMALL) for wave in waves))
    phase = instance_contrast(*(torch.atan2(wave.imag, wave.real + SMALL) for wave in waves))
    return trend + config.spectral * (amplitude + phase) / 2


def _unit_steps(steps: Steps) -> Steps:
    return unit(steps.flatten(0, 1)).view(steps.shape)
