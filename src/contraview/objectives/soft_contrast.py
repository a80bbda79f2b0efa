"""Soft contrast: how alike two rows should be is a number, not yes or no."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean
from contraview.objectives.pair_sum import pair_sum
from contraview.objectives.unit import unit


def soft_contrast(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "m d"],
    query_labels: Float[Tensor, "n c"],
    key_labels: Float[Tensor, "m c"],
    temperature: float = 0.2,
) -> Float[Tensor, ""]:
    """Bring the cosine of every query and every key to that of their labels.

    With x_ij = cos(q_i, k_j) / T and the target s_ij = cos(y_i, y_j), the mean over all pairs of
    the binary cross entropy of a sigmoid::

        BCE(sigmoid(x_ij), s_ij) = log(1 + exp x_ij) - s_ij x_ij

    SoftCon, Wang, Albrecht, Zhu 2024, arXiv 2405.20462, where y are multi-hot labels: two scenes
    are as alike as the classes they share. Labels are any vectors that are not negative, such as
    shares of classes. A row whose label is all zeros says nothing and takes part in no pair.

    Memory is linear in n + m: targets are cosines, so their sum with x is a product of two sums,
    and the n x m matrix of them is never built.

    Across processes keys are gathered; sums and counts over pairs are added up, then divided.

    Args:
        queries: [n, d]; any length, normalised here.
        keys: [m, d]; any length, normalised here.
        query_labels: [n, c], not negative, constant to the gradient.
        key_labels: [m, c], not negative, constant to the gradient.
        temperature: T > 0.

    Returns:
        The loss; zero where no pair has labels.

    Raises:
        InputError: a temperature that is not positive, or labels below zero.
    """
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}: expected a number above 0")
    if (query_labels < 0).any() or (key_labels < 0).any():
        raise InputError("labels below 0: expected none, such as 0 and 1")
    root = temperature**-0.5
    own, others = query_labels.detach() != 0, key_labels.detach() != 0
    q = (unit(queries) * root)[own.any(1)]
    k, _ = gather((unit(keys) * root)[others.any(1)])
    of_q = unit(query_labels.detach())[own.any(1)]
    of_k, _ = gather(unit(key_labels.detach())[others.any(1)])

    total, _ = pair_sum(q, k, lambda x: (softplus(x), x.sigmoid()), counted_above=math.inf)
    agreement = ((of_q.T @ q) * (of_k.T @ k)).sum()
    return mean(total - agreement, torch.tensor(len(q) * len(k), device=q.device))
