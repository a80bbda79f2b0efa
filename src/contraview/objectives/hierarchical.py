"""Contrast of steps at every scale of time: TS2Vec's loss."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy, max_pool1d

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean

Steps = Float[Tensor, "n t d"]


def hierarchical(
    one: Steps, other: Float[Tensor, "_ _ _"], alpha: float = 0.5
) -> Float[Tensor, ""]:
    """Two views of each window, step by step, at scales 1, 2, 4, ... steps (by max pooling)::

        mean over scales of  alpha * instance(one, other) + (1 - alpha) * temporal(one, other)

    Yue et al. 2022 (TS2Vec), arXiv 2106.10466, eq. 1 to 3 and algorithm 1, where alpha is 1/2.
    When a single step is left, only the instance term is added. Products are of vectors as they
    are, without a temperature: pass unit vectors for cosines.

    Args:
        one: [n, t, d], the steps of n windows.
        other: [n, t, d], the other view of the same.
        alpha: 1 compares a step with the same time of other windows only, 0 with other times of
            its own window only.

    Across processes: other windows are those of all processes.

    Raises:
        InputError: views of different shapes, or an alpha outside [0, 1].
    """
    if one.shape != other.shape:
        raise InputError(f"views are {list(one.shape)} and {list(other.shape)}; expected the same")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}: expected 0 to 1")
    total, scales = one.new_zeros(()), 0
    while True:
        if alpha:
            total = total + alpha * instance_contrast(one, other)
        if one.shape[1] == 1:
            return total / (scales + 1)
        if alpha < 1:
            total = total + (1 - alpha) * temporal_contrast(one, other)
        one, other = (max_pool1d(z.transpose(1, 2), 2).transpose(1, 2) for z in (one, other))
        scales += 1


def instance_contrast(one: Steps, other: Steps) -> Float[Tensor, ""]:
    """Which of the 2N - 1 other windows at this step is the other view? TS2Vec eq. 2."""
    (keys_one, start), (keys_other, _) = gather(one), gather(other)
    queries = torch.cat([one, other]).transpose(0, 1)  # [t, 2n, d]
    keys = torch.cat([keys_one, keys_other]).transpose(0, 1)  # [t, 2N, d]
    own = start + torch.arange(len(one), device=one.device)
    return _contrast(queries, keys, torch.cat([own, len(keys_one) + own]))


def temporal_contrast(one: Steps, other: Steps) -> Float[Tensor, ""]:
    """Which of the 2t - 1 other steps of this window is the other view? TS2Vec eq. 1."""
    steps = torch.cat([one, other], 1)  # [n, 2t, d]
    return _contrast(steps, steps, torch.arange(steps.shape[1], device=one.device))


def _contrast(
    queries: Float[Tensor, "g q d"], keys: Float[Tensor, "g k d"], own: Tensor
) -> Float[Tensor, ""]:
    """Cross entropy of finding each query's partner, half of the keys further, never itself."""
    size = keys.shape[1]
    logits = (queries @ keys.transpose(1, 2)).float()
    logits = logits.scatter(2, own[None, :, None].expand(*logits.shape[:2], 1), -torch.inf)
    partner = ((own + size // 2) % size).expand(logits.shape[:2])
    losses = cross_entropy(logits.flatten(0, 1), partner.flatten(), reduction="sum")
    return mean(losses, partner.numel())
