"""Denoising diffusion: how images are noised, how the noise is learnt, how images are drawn.

The process of Ho et al. 2020 (DDPM, arXiv 2006.11239) in closed form: at step t of T an image x is
a_t x + s_t e with e ~ N(0, 1), a_t^2 the product of 1 - beta up to t, s_t^2 = 1 - a_t^2.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from contraview.objectives.diffusion import variational_bound
from contraview.training.step import Loss, Step

Betas = Literal["linear", "cosine"]
LEARNT_TIMES = 1000
"""Denoisers are told times on this scale, whatever the number of steps is."""


Denoiser = Callable[..., Tensor]
"""(images, times, conditions or None) to the noise; without conditions it may be called with two.

Times are [n], from 0 to `LEARNT_TIMES`. With a learnt variance it gives twice the channels.
"""


class Noising:
    """How much of an image is left at each of ``steps`` steps.

    Args:
        steps: T.
        betas: "linear" as in DDPM, beta from 1e-4 to .02 at T = 1000 and as much noise in all for
            other T; or "cosine" (Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17).
    """

    def __init__(self, steps: int, betas: Betas = "linear") -> None:
        self.steps = steps
        if betas == "linear":
            longer = 1000 / steps
            beta = torch.linspace(1e-4 * longer, 0.02 * longer, steps, dtype=torch.float64)
        else:
            place = torch.arange(steps + 1, dtype=torch.float64) / steps
            left = torch.cos((place + 0.008) / 1.008 * math.pi / 2).square()
            beta = 1 - left[1:] / left[:-1]
        self.beta = beta.clamp(max=0.999)
        self.kept = (1 - self.beta).cumprod(0)
        """a_t^2 of step t = 0 ... T - 1."""

    def at(self, step: Int[Tensor, " n"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """a_t and s_t; step -1 is the clean image."""
        kept = torch.cat([self.kept, self.kept.new_ones(1)]).to(step.device)[step]
        return kept.sqrt().float(), (1 - kept).sqrt().float()

    def noised(
        self, images: Float[Tensor, "n c *s"], step: Int[Tensor, " n"], noise: Tensor
    ) -> Float[Tensor, "n c *s"]:
        """A draw of q(x_t | x) with the given noise; DDPM eq. 4."""
        a, s = (_column(each, images) for each in self.at(step))
        return a * images + s * noise

    def times(self, step: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What a denoiser is told of a step."""
        return (step + 1).float() * (LEARNT_TIMES / self.steps)


def diffusion_loss(
    noising: Noising,
    clean: Callable[[Int[Tensor, " b"], torch.Generator], tuple[Tensor, Tensor | None]],
    *,
    drop: float,
    learnt_variance: bool = False,
) -> Loss:
    """The loss of `train`: mean of |e - e_theta(x_t, t, c)|^2 at uniform t (DDPM, eq. 14).

    Args:
        noising: the process.
        clean: the images of some rows, on the generator's device, and their conditions.
        drop: share of rows that go without their condition, for classifier-free guidance (Ho and
            Salimans 2022, arXiv 2207.12598, algorithm 1).
        learnt_variance: the denoiser has twice the channels, the second half of which sets the
            variance of a step and is trained by the variational bound, times T / 1000, without
            moving the first half (Nichol and Dhariwal 2021, section 3.1).
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        images, conditions = clean(rows, generator)
        device = generator.device
        step = torch.randint(noising.steps, (len(rows),), generator=generator, device=device)
        noise = torch.randn(images.shape, generator=generator, device=device)
        dropped = torch.rand(len(rows), generator=generator, device=device) < drop
        noisy = noising.noised(images, step, noise)
        answer = model(noisy, noising.times(step), conditions, dropped)
        found = answer[:, : images.shape[1]]
        simple = mse_loss(found, noise)
        if not learnt_variance:
            return Step(simple)
        fraction = (answer[:, images.shape[1] :] + 1) / 2
        bound = variational_bound(
            images, noisy, found.detach(), fraction, step, noising.beta, noising.kept
        )
        bound = bound * (noising.steps / LEARNT_TIMES)
        return Step(simple + bound, terms={"noise": simple, "bound": bound})

    return loss


def guided(
    denoiser: Denoiser,
    images: Float[Tensor, "n c *s"],
    times: Float[Tensor, " n"],
    conditions: Float[Tensor, "n e"] | None,
    guidance: float,
) -> Float[Tensor, "n c *s"]:
    """The noise found with and without condition: e_u + guidance (e_c - e_u).

    0 is the unconditional model and 1 the conditional one; what is not needed is not computed.
    """
    channels = images.shape[1]
    if conditions is None or guidance == 0:
        return denoiser(images, times)[:, :channels]
    with_it = denoiser(images, times, conditions)[:, :channels]
    if guidance == 1:
        return with_it
    without = denoiser(images, times)[:, :channels]
    return without + guidance * (with_it - without)


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    noising: Noising,
    start: Float[Tensor, "n c *s"],
    conditions: Float[Tensor, "n e"] | None = None,
    *,
    steps: int,
    guidance: float = 1.0,
    order: Literal[1, 2] = 2,
    clip: float | None = None,
) -> Float[Tensor, "n c *s"]:
    """Images out of noise in a few steps; nothing but ``start`` is random.

    The multistep DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095, algorithm 2). Of order 1 it is
    DDIM (Song et al. 2021, arXiv 2010.02502, eq. 12 with sigma = 0). The first step and those into
    and out of step 0 are of order 1: the noise falls too steeply there to look ahead.

    Args:
        denoiser: the model.
        noising: the process it was trained on.
        start: standard normal noise.
        conditions: a vector each; None for none.
        steps: evaluations of the model (twice as many with guidance).
        guidance: see `guided`.
        order: 1 or 2.
        clip: clean images are known to lie in [-clip, clip] (pixels do, latents do not).
    """
    path = [*torch.linspace(noising.steps - 1, 0, steps).round().long().tolist(), -1]
    images, before, gap_before = start, None, 0.0
    for now, after in pairwise(path):
        step = torch.full((len(images),), now, device=images.device)
        (a, s), (a_next, s_next) = (
            tuple(float(each) for each in noising.at(torch.tensor([place])))
            for place in (now, after)
        )
        noise = guided(denoiser, images, noising.times(step), conditions, guidance)
        clean = (images - s * noise) / a
        if clip is not None:
            clean = clean.clamp(-clip, clip)
        if after < 0:
            return clean
        gap = math.log(a_next / s_next) - math.log(a / s)
        ahead = clean
        if order == 2 and before is not None and after > 0:
            half = gap / (2 * gap_before)
            ahead = (1 + half) * clean - half * before
        images = (s_next / s) * images - a_next * math.expm1(-gap) * ahead
        before, gap_before = clean, gap
    return images


def _column(values: Tensor, images: Tensor) -> Tensor:
    return values.view(-1, *(1 for _ in images.shape[1:]))
