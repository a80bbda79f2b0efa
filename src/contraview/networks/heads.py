"""What stands between an encoder and its loss, and is put aside afterwards."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.networks.fresh import fresh
from contraview.networks.mlp import Norm, mlp

Head = Literal["mlp", "linear", "reweight", "none"]


class Reweighting(nn.Module):
    """Multiplies feature i by ``kappa ** -i``: a head without trainable weights.

    Xue, Gan, Ni, Joshi, Mirzasoleiman 2024, arXiv 2403.11391: what a trained head does to the
    strengths of features, made readable. Early features become strong, late ones are spared by the
    loss. Weights below float32's smallest normal number (feature 1,790 at kappa 1.05) are zero.
    """

    strengths: Tensor

    def __init__(self, width: int, kappa: float) -> None:
        super().__init__()
        strengths = kappa ** -torch.arange(width, dtype=torch.float64)
        smallest = torch.finfo(torch.float32).tiny
        self.register_buffer("strengths", strengths.where(strengths >= smallest, 0).float())

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Features of falling strength."""
        return features * self.strengths


def head(
    kind: Head,
    inputs: int,
    hidden: int,
    outputs: int,
    *,
    seed: int,
    norm: Norm = "none",
    last_norm: bool = False,
    kappa: float = 1.05,
) -> tuple[nn.Module, int]:
    """A head of this kind, and the width of what it gives.

    Args:
        kind: ``mlp``, a hidden layer with ReLU; ``linear``, one layer without bias; ``reweight``,
            see `Reweighting`; ``none``: the loss sees the encoder's own output.
        inputs: width of the encoder's output.
        hidden: of the mlp.
        outputs: of mlp and linear.
        seed: of the run; initial weights are drawn from it under the name "head".
        norm: of the mlp's hidden layer.
        last_norm: normalise the mlp's output too, see `mlp`.
        kappa: of `Reweighting`.
    """
    if kind == "mlp":
        made = fresh(
            lambda: mlp(inputs, hidden, outputs, norm=norm, last_norm=last_norm), seed, "head"
        )
        return made, outputs
    if kind == "linear":
        return fresh(lambda: nn.Linear(inputs, outputs, bias=False), seed, "head"), outputs
    if kind == "reweight":
        return Reweighting(inputs, kappa), inputs
    return nn.Identity(), inputs
