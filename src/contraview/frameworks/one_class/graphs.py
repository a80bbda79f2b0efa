"""One-class scorers as networks: gathers, sorts and products, for graphs that run elsewhere."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from contraview.frameworks.one_class.centroid import TINY, Centroid


class CentroidGraph(nn.Module):
    """`Centroid.score`."""

    def __init__(self, centroid: Centroid) -> None:
        super().__init__()
        centre = centroid.mean / np.linalg.norm(centroid.mean)
        self.register_buffer("centre", torch.from_numpy(centre).double())

    def forward(self, rows: Float[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """Minus the cosine to the centre."""
        rows = rows.double()
        length = rows.square().sum(1, keepdim=True).sqrt().clamp(min=TINY)
        return -((rows / length) @ self.get_buffer("centre")[:, None])[:, 0]
