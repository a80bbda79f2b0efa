"""Soft groups by Student's t, and the sharper groups that they are drawn to (DEC)."""

import torch
from jaxtyping import Float
from torch import Tensor

from contraview.objectives.distributed import gather, mean


def student_t(
    embeddings: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]
) -> Float[Tensor, "n k"]:
    """How much each row belongs to each centre; rows sum to one.

    q_ik is in proportion to 1 / (1 + |z_i - mu_k|^2): Student's t with one degree of freedom
    (Xie, Girshick and Farhadi 2016, arXiv 1511.06335, eq. 1).
    """
    apart = (embeddings[:, None] - centres).square().sum(2)
    closeness = 1 / (1 + apart)
    return closeness / closeness.sum(1, keepdim=True)


@torch.no_grad()
def sharpened(q: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """The target: p_ik in proportion to q_ik^2 / f_k with f_k = sum_i q_ik (DEC, eq. 3).

    Confident rows count more and large groups less. It carries no gradient. Where the rows are a
    sample the frequencies f are those of the sample (over all processes): a common factor cancels.
    """
    weight = q.square() / gather(q)[0].sum(0)
    return weight / weight.sum(1, keepdim=True)


def group_divergence(q: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """KL(P || Q), the mean over rows, with P = `sharpened` (Q), which is constant (DEC, eq. 2)."""
    p = sharpened(q)
    return mean((torch.xlogy(p, p) - p * q.log()).sum(), len(q))
