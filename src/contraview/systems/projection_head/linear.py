"""The theory's model: two linear layers, the upper one the head, and the spectral loss.

Xue et al. 2024, arXiv 2403.11391: from a small, balanced start, gradient descent weights features
more unequally in the upper layer than in the lower one.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def spectral_loss(one: Float[Tensor, "n d"], other: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The spectral contrastive loss ``-2 mean_i z_i . z+_i + mean_ij (z_i . z'_j)^2``.

    HaoChen, Wei, Gaidon, Ma 2021, arXiv 2106.04156, eq. 6. The second mean is over all pairs of
    rows of the two views, the positives' included; it is the product of two moments, d x d each.
    """
    attraction = (one * other).sum(1).mean()
    repulsion = ((one.T @ one) * (other.T @ other)).sum() / (len(one) * len(other))
    return -2 * attraction + repulsion


def two_layers(
    one: Float[Tensor, "n d"],
    other: Float[Tensor, "n d"],
    *,
    width: int,
    steps: int,
    rate: float = 0.05,
    start: float = 0.05,
    seed: torch.Generator,
) -> tuple[Float[Tensor, "w d"], Float[Tensor, "w w"]]:
    """The layers W1, W2 of ``z = W2 W1 x`` after gradient descent on `spectral_loss`.

    The start is small and balanced, ``W2' W2 = W1 W1'``; gradient flow keeps that, and a small
    ``rate`` nearly.
    """
    dimensions = one.shape[1]
    first = start * torch.randn((width, dimensions), generator=seed, dtype=one.dtype)
    # The symmetric root of W1 W1' is a W2 with W2' W2 = W1 W1'.
    values, vectors = torch.linalg.eigh(first @ first.T)
    second = vectors * values.clamp(min=0).sqrt() @ vectors.T
    first, second = first.requires_grad_(), second.detach().requires_grad_()
    for _ in range(steps):
        whole = second @ first
        loss = spectral_loss(one @ whole.T, other @ whole.T)
        gradients = torch.autograd.grad(loss, [first, second])
        with torch.no_grad():
            first -= rate * gradients[0]
            second -= rate * gradients[1]
    return first.detach(), second.detach()


def inequality(features: Float[Tensor, "n d"], kept: int) -> float:
    """Largest over smallest of the ``kept`` largest singular values: 1 where all weigh the same."""
    values = torch.linalg.svdvals(features)[:kept]
    return (values[0] / values[-1]).item()
