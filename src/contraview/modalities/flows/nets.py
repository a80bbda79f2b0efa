"""The encoder of tabular systems: a residual multilayer perceptron."""

from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """relu(W x + b) + skip(x); the skip is the identity, or a learnt map where widths differ."""

    def __init__(self, inputs: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout))
        self.skip = nn.Identity() if inputs == width else nn.Linear(inputs, width)

    def forward(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n w"]:
        """The block's output."""
        return self.main(rows) + self.skip(rows)


class ResidualMLP(nn.Module):
    """Residual blocks of one width, then a linear projection; nothing is normalised.

    CLAN's encoder (official configuration: 72 inputs, four blocks of 1024, 64 outputs).
    """

    def __init__(
        self, inputs: int, *, width: int, depth: int, outputs: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(ResidualBlock(inputs if i == 0 else width, width, dropout) for i in range(depth))
        )
        self.projection = nn.Linear(width, outputs)

    def forward(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """The embedding of each row, not normalised."""
        return self.projection(self.blocks(rows))
