"""Views of segments: batched, every draw made anew for every sample, the length always kept."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from torch import Tensor

Segments = Float[Tensor, "n c t"]
View = Callable[[Segments, torch.Generator], Segments]

FLAT = 1e-6
"""A channel whose deviation is below this share of its size does not move: rounding is left."""


def z_score(segments: Segments) -> Segments:
    """Each channel of each segment with mean 0 and deviation 1; a flat channel becomes zeros.

    What is taken away, the amplitude, is lost to whatever is learnt from the result.
    """
    spread, mean = torch.std_mean(segments, dim=2, correction=0, keepdim=True)
    moves = spread > FLAT * mean.abs().clamp(min=FLAT)
    return torch.where(moves, (segments - mean) / spread.where(moves, torch.ones(())), 0)


def cut_out(segments: Segments, generator: torch.Generator, *, share: float) -> Segments:
    """Zero one stretch of each segment, all channels: ``share`` of its length, anywhere in it.

    Zero is the mean of a segment that has been z-scored.
    """
    n, _, t = segments.shape
    length = max(round(share * t), 1)
    first = torch.rand(n, 1, generator=generator, device=segments.device) * (t - length + 1)
    place = torch.arange(t, device=segments.device)
    hidden = (place >= first.long()) & (place < first.long() + length)
    return segments.masked_fill(hidden[:, None], 0)


def magnitude_warp(
    segments: Segments, generator: torch.Generator, *, sigma: float, knots: int
) -> Segments:
    """Multiply each channel by its own smooth curve around 1.

    The curve is a cubic spline through ``knots`` inner points and both ends, each drawn from a
    normal distribution of mean 1 and deviation ``sigma`` (Um et al. 2017, arXiv 1706.00527).
    """
    n, c, t = segments.shape
    drawn = torch.randn(n, c, knots + 2, generator=generator, device=segments.device)
    return segments * ((1 + sigma * drawn) @ _spline(knots + 2, t).to(segments))


def time_warp(
    segments: Segments, generator: torch.Generator, *, sigma: float, knots: int
) -> Segments:
    """Run each segment at a speed that changes smoothly, all channels alike.

    Speeds follow a spline as in `magnitude_warp`, at least a tenth of the mean. The first and the
    last moment stay where they are, so the length is kept; between samples the signal is a
    straight line.
    """
    n, c, t = segments.shape
    drawn = torch.randn(n, knots + 2, generator=generator, device=segments.device)
    speed = ((1 + sigma * drawn) @ _spline(knots + 2, t - 1).to(segments)).clamp(min=0.1)
    passed = torch.cat([speed.new_zeros(n, 1), speed.cumsum(1)], 1)
    moments = (passed / passed[:, -1:] * (t - 1)).clamp(max=t - 1)
    before = moments.floor().long().clamp(max=t - 2)
    after = (moments - before)[:, None]
    early = segments.gather(2, before[:, None].expand(n, c, t))
    late = segments.gather(2, before[:, None].expand(n, c, t) + 1)
    return early + after * (late - early)


def noise(segments: Segments, generator: torch.Generator, *, sigma: float) -> Segments:
    """Add normal noise of deviation ``sigma``, in deviations of the z-scored signal."""
    drawn = torch.randn(segments.shape, generator=generator, device=segments.device)
    return segments + sigma * drawn


def permute_channels(segments: Segments, generator: torch.Generator) -> Segments:
    """Put the channels of each segment in a random order of its own."""
    n, c, t = segments.shape
    order = torch.rand(n, c, generator=generator, device=segments.device).argsort(1)
    return segments.gather(1, order[:, :, None].expand(n, c, t))


def sometimes(view: View, p: float) -> View:
    """``view`` for each sample with probability ``p``, a coin a sample; else the sample itself."""

    def perhaps(segments: Segments, generator: torch.Generator) -> Segments:
        coins = torch.rand(len(segments), 1, 1, generator=generator, device=segments.device)
        return torch.where(coins < p, view(segments, generator), segments) if p else segments

    return perhaps


def cascade(views: list[View]) -> View:
    """One view after the other."""

    def apply(segments: Segments, generator: torch.Generator) -> Segments:
        for view in views:
            segments = view(segments, generator)
        return segments

    return apply


@lru_cache(maxsize=16)
def _spline(points: int, length: int) -> Float[Tensor, "p t"]:
    """What each of ``points`` evenly spaced values adds to a spline at ``length`` places.

    A cubic spline is linear in its values, so one matrix product draws a whole batch of curves.
    """
    basis = CubicSpline(np.linspace(0, 1, points), np.eye(points))(np.linspace(0, 1, length))
    return torch.from_numpy(basis.T.astype(np.float32).copy())
