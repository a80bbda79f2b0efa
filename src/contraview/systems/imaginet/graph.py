"""ImagiNet as a graph: the encoder's features, and the calibrated probability of the origin."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.systems.imaginet.encoder import ExitEncoder
from contraview.systems.imaginet.heads import Head


class Features(nn.Module):
    """What `ImagiNet.embed` is made by."""

    def __init__(self, encoder: ExitEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The backbone's own output."""
        return self.encoder.features(pixels)


class Calibrated(nn.Module):
    """A `Head` with its temperature and offset."""

    def __init__(self, head: Head, classes: int) -> None:
        super().__init__()
        self.network = head.network
        self.register_buffer("temperature", torch.tensor(head.temperature, dtype=torch.float64))
        offset = torch.zeros(classes, dtype=torch.float64)
        offset[-1] = head.offset
        self.register_buffer("offset", offset)

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """The probability of each class."""
        logits = self.network(features).double() / self.get_buffer("temperature")
        return (logits + self.get_buffer("offset")).softmax(1)
