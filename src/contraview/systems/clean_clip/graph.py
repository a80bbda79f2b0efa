"""CleanCLIP's image tower as a graph, with the classes that it knows by name."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.frameworks.towers import Towers
from contraview.objectives.unit import unit


class ImageTower(nn.Module):
    """What `CleanClip.embed` gives of images."""

    def __init__(self, towers: Towers) -> None:
        super().__init__()
        self.tower = towers.towers["image"]

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The unit vector of each image."""
        return unit(self.tower(pixels))


class ByName(nn.Module):
    """`zero_shot` with the vectors of the classes' names."""

    def __init__(self, classes: Float[np.ndarray, "c d"], scale: float) -> None:
        super().__init__()
        self.register_buffer("classes", scale * torch.from_numpy(classes).T)

    def forward(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """The probability of each class."""
        return (unit(vectors) @ self.get_buffer("classes")).softmax(1)
