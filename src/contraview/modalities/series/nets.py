"""From a window to one vector a step, and from these to the steps that follow."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from contraview.networks.causal import CausalConvs, Recurrent
from contraview.networks.mlp import mlp
from contraview.networks.transformer import Transformer, sinusoidal

Backbone = Literal["transformer", "lstm", "tcn", "dilated_tcn"]


class StepEncoder(nn.Module):
    """Embeds each row of a window, puts the rows in context, gives one vector a row.

    A transformer sees the whole window at each step; LSTM and convolutions see the past alone.

    Args:
        channels: of the series.
        length: rows of a window.
        width: inside.
        outputs: dimensions of a step's vector.
        backbone: what puts steps in context.
        depth: layers or blocks.
        heads: of the transformer.
        dropout: of the transformer.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        *,
        width: int,
        outputs: int,
        backbone: Backbone,
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        places = sinusoidal(length, width) if backbone == "transformer" else torch.zeros(1, width)
        self.register_buffer("places", places, persistent=False)
        self.context = (
            Transformer(width, depth=depth, heads=heads, dropout=dropout)
            if backbone == "transformer"
            else Recurrent(width, depth=depth)
            if backbone == "lstm"
            else CausalConvs(width, depth=depth, dilated=backbone == "dilated_tcn")
        )
        self.out = nn.Linear(width, outputs)

    def forward(
        self, windows: Float[Tensor, "n t c"], kept: Bool[Tensor, "n t"] | None = None
    ) -> Float[Tensor, "n t d"]:
        """A vector a step; steps that are not ``kept`` are zero once they are embedded."""
        steps = self.embed(windows)
        if kept is not None:
            steps = steps * kept[:, :, None]
        return self.out(self.context(steps + self.places))


class StepDecoder(nn.Module):
    """A perceptron at each of the last ``horizon`` steps: what it says is the forecast.

    No position of the future exists: step i of the window is read as the step ``horizon`` later,
    so a window must be at least as long as the horizon.
    """

    def __init__(self, width: int, targets: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.read_out = mlp(width, width, targets)

    def forward(self, steps: Float[Tensor, "n t d"]) -> Float[Tensor, "n h k"]:
        """The next ``horizon`` rows of the targets."""
        return self.read_out(steps[:, -self.horizon :])
