"""The part of a diffusion model's loss that teaches it how sure a step back is."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.objectives.distributed import mean


def variational_bound(
    images: Float[Tensor, "n c *s"],
    noisy: Float[Tensor, "n c *s"],
    noise: Float[Tensor, "n c *s"],
    fraction: Float[Tensor, "n c *s"],
    step: Int[Tensor, " n"],
    beta: Float[Tensor, " t"],
    kept: Float[Tensor, " t"],
) -> Float[Tensor, ""]:
    """The mean over values, in bits, of the divergence between the true step back and the model's.

    The model's variance lies between the two extremes, exp(v log beta_t + (1 - v) log beta~_t) with
    v the ``fraction`` (Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 15); the divergence of two
    normal distributions is DDPM's L_(t-1), at t = 0 the density of the image instead. The official
    code takes the likelihood of eight-bit values at t = 0; the density is meant for latents too.

    Args:
        images: clean.
        noisy: the same at ``step``.
        noise: as predicted; pass it detached, so that the bound moves the variance alone.
        fraction: v, about 0 to 1.
        step: t from 0.
        beta: of each step.
        kept: product of 1 - beta up to each step.

    Across processes: the mean over the values of all.
    """
    beta, kept = beta.to(images.device), kept.to(images.device)
    before = torch.cat([kept.new_ones(1), kept[:-1]])
    small = beta * (1 - before) / (1 - kept)
    # The first step back has no variance of its own; the official code uses the second's.
    log_small = small.clamp(min=float(small[min(1, len(small) - 1)])).log()

    def of(table: Tensor) -> Tensor:
        return table.float()[step].view(-1, *(1 for _ in images.shape[1:]))

    found = (noisy - of((1 - kept).sqrt()) * noise) / of(kept.sqrt())
    on_clean = of(beta * before.sqrt() / (1 - kept))
    on_noisy = of((1 - beta).sqrt() * (1 - before) / (1 - kept))
    true_mean = on_clean * images + on_noisy * noisy
    own_mean = on_clean * found + on_noisy * noisy
    log_variance = fraction * of(beta.log()) + (1 - fraction) * of(log_small)
    squared = (true_mean - own_mean).square()
    divergence = 0.5 * (
        log_variance - of(log_small) + (of(log_small) - log_variance).exp() - 1
        + squared * (-log_variance).exp()
    )  # fmt: skip
    first = 0.5 * (
        math.log(2 * math.pi) + log_variance + (images - own_mean).square() * (-log_variance).exp()
    )
    at_zero = (step == 0).view(-1, *(1 for _ in images.shape[1:]))
    nats = torch.where(at_zero, first, divergence)
    return mean(nats.sum(), nats.numel()) / math.log(2)
