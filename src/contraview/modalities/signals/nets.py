"""An EfficientNet for signals: mobile inverted bottlenecks in one dimension."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class MBConv(nn.Module):
    """Widen, convolve each channel by itself, weigh the channels, narrow; add the input if alike.

    Sandler et al. 2018 (arXiv 1801.04381) with the squeeze-and-excitation of EfficientNet (Tan and
    Le 2019, arXiv 1905.11946), in one dimension. Normalisation is by groups, not by batch: an
    embedding depends on its segment alone, and a momentum teacher has no statistics of its own to
    keep.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.widen = _unit(inputs, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _unit(wide, wide, kernel, stride=stride, groups=wide)
        squeezed = max(inputs // 4, 1)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool1d(1),
            nn.Conv1d(wide, squeezed, 1),
            nn.SiLU(),
            nn.Conv1d(squeezed, wide, 1),
            nn.Sigmoid(),
        )
        self.narrow = nn.Sequential(nn.Conv1d(wide, outputs, 1, bias=False), _norm(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, signals: Float[Tensor, "n c t"]) -> Float[Tensor, "n d s"]:
        """The block's output; as long as its input, or half where the stride is two."""
        hidden = self.depthwise(self.widen(signals))
        outputs = self.narrow(hidden * self.weigh(hidden))
        return signals + outputs if self.residual else outputs


class MBConvEncoder(nn.Module):
    """A stem, stages of `MBConv` blocks, a last pointwise layer, and the mean over time.

    Every stage halves the resolution in its first block, and so does the stem.

    Args:
        channels: of the signal.
        widths: of the stem, of each stage, and of the embedding.
        repeats: blocks of each stage; two fewer than there are widths.
        kernel: size of the depthwise convolutions, odd.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], repeats: Sequence[int], *, kernel: int
    ) -> None:
        super().__init__()
        stem, *stages, self.outputs = widths
        layers: list[nn.Module] = [_unit(channels, stem, kernel, stride=2)]
        inputs = stem
        for stage, (width, blocks) in enumerate(zip(stages, repeats, strict=True)):
            for block in range(blocks):
                layers.append(
                    MBConv(
                        inputs,
                        width,
                        kernel=kernel,
                        stride=2 if block == 0 else 1,
                        expansion=6 if stage else 1,
                    )
                )
                inputs = width
        self.blocks = nn.Sequential(*layers, _unit(inputs, self.outputs, 1))

    def forward(self, signals: Float[Tensor, "n c t"]) -> Float[Tensor, "n d"]:
        """One vector a segment."""
        return self.blocks(signals).mean(2)


def _unit(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        _norm(outputs),
        nn.SiLU(),
    )


def _norm(width: int) -> nn.GroupNorm:
    """Up to eight groups of equal size."""
    return nn.GroupNorm(next(g for g in (8, 4, 2, 1) if width % g == 0), width)
