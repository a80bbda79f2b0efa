"""Encoders that see the past alone: causal convolutions and an LSTM; one vector a step."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad


class CausalBlock(nn.Module):
    """Two causal convolutions with GELU before each, added to the input."""

    def __init__(self, width: int, *, kernel: int, dilation: int) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, kernel, dilation=dilation) for _ in range(2)
        )
        self.gelu = nn.GELU()

    def forward(self, steps: Float[Tensor, "n d t"]) -> Float[Tensor, "n d t"]:
        """The steps with what came up to 2 (kernel - 1) dilation steps before each."""
        hidden = steps
        for conv in self.convs:
            hidden = conv(pad(self.gelu(hidden), (self.reach, 0)))
        return steps + hidden


class CausalConvs(nn.Module):
    """A temporal convolutional network (Bai et al. 2018, arXiv 1803.01271), as long as its input.

    Args:
        width: of a step, in and out.
        depth: blocks.
        kernel: steps a convolution sees.
        dilated: block i sees every 2^i-th step, so that reach doubles with each block; otherwise
            steps next to each other.
    """

    def __init__(self, width: int, *, depth: int, kernel: int = 3, dilated: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                CausalBlock(width, kernel=kernel, dilation=2**i if dilated else 1)
                for i in range(depth)
            )
        )

    def forward(self, steps: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Each step with its past."""
        return self.blocks(steps.transpose(1, 2)).transpose(1, 2)


class Recurrent(nn.Module):
    """An LSTM whose output stands beside each step."""

    def __init__(self, width: int, *, depth: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, depth, batch_first=True)

    def forward(self, steps: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Each step with its past."""
        return self.lstm(steps)[0]
