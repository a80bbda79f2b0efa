"""Tokens from patches of points."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.networks.mlp import mlp


class PatchEmbedding(nn.Module):
    """A small PointNet: one token a patch, whatever the order of its points.

    Each point goes through a perceptron, is joined with the maximum over its patch, goes through
    another, and the maximum over the patch is the token (Point-MAE, Pang et al. 2022,
    arXiv:2203.06604, section 3.1; the network of Point-BERT). In training its batch statistics
    are of the clouds of one process.

    Args:
        width: of a token.
        hidden: of the first layer; the later ones are two and four times as wide.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.point = mlp(3, hidden, 2 * hidden, norm="batch")
        self.joint = mlp(4 * hidden, 4 * hidden, width, norm="batch")

    def forward(self, groups: Float[Tensor, "n g k 3"]) -> Float[Tensor, "n g d"]:
        """One token a patch."""
        n, g, k, _ = groups.shape
        own = self.point(groups.reshape(-1, 3)).view(n * g, k, -1)
        patch = own.amax(1, keepdim=True).expand_as(own)
        joint = self.joint(torch.cat([patch, own], 2).flatten(0, 1)).view(n, g, k, -1)
        return joint.amax(2)


def place_embedding(width: int, hidden: int = 128) -> nn.Sequential:
    """What tells a token where its patch lies: a perceptron on the centre."""
    return nn.Sequential(nn.Linear(3, hidden), nn.GELU(), nn.Linear(hidden, width))
