"""Probes as networks, for graphs that run without this library."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from contraview.evaluation.multi_label import MultiLabelProbe
from contraview.evaluation.probes import LinearProbe


class Readout(nn.Module):
    """What `LinearProbe.classify` gives, in double precision as there.

    Of a `MultiLabelProbe` the probability of each class for itself.
    """

    def __init__(self, probe: LinearProbe) -> None:
        super().__init__()
        self.each = isinstance(probe, MultiLabelProbe)
        for name in ("mean", "scale", "weights", "bias"):
            self.register_buffer(name, torch.from_numpy(getattr(probe, name)).double())

    def forward(self, vectors: Float[Tensor, "n d"]) -> Float64[Tensor, "n c"]:
        """The probability of each class."""
        rows = (vectors.double() - self.get_buffer("mean")) / self.get_buffer("scale")
        margins = rows @ self.get_buffer("weights").T + self.get_buffer("bias")
        return margins.clamp(-500, 500).sigmoid() if self.each else margins.softmax(1)
