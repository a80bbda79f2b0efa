"""The encoder of biosignals as a graph: segments as recorded in, vectors out."""

from copy import deepcopy

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from contraview.core.graph import Graph, Port
from contraview.core.seeds import numpy_generator
from contraview.modalities.signals import views
from contraview.modalities.signals.data import Signals
from contraview.modalities.signals.recording import Recording


class FromSegments(nn.Module):
    """Z-scores of each channel, then the encoder."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder).cpu()
        self.eval()

    def forward(self, segments: Float[Tensor, "n c t"]) -> tuple[Float[Tensor, "n d"]]:
        """One vector a segment."""
        return (self.encoder(views.z_score(segments)),)


def segment_graph(encoder: nn.Module, width: int, channels: tuple[str, ...], window: int) -> Graph:
    """The graph of an encoder of segments.

    Args:
        encoder: from z-scored segments.
        width: of its vectors.
        channels: their names, in order.
        window: samples of a segment.
    """

    def held(count: int, seed: int) -> Signals:
        draw = numpy_generator(seed, "held segments")
        shape = count, len(channels), window
        walks = draw.normal(0, 1, shape).cumsum(2) + draw.normal(0, 1, shape) * draw.random(shape)
        walks *= draw.lognormal(0, 2, (count, len(channels), 1))
        made = tuple(Recording(f"drawn {i}", str(i), each) for i, each in enumerate(walks))
        return Signals(made, channels, window, np.arange(count), np.zeros(count, np.int64))

    told = f"samples of {', '.join(channels)}, in any unit, at the rate of the fit"
    return Graph(
        network=FromSegments(encoder),
        inputs=(Port("segments", "float32", ("n", len(channels), window), told),),
        outputs={"embed": Port("embedding", "float32", ("n", width), "one vector a segment")},
        feed=lambda signals: {"segments": signals.segments()},
        held=held,
        facts={"channels": list(channels)},
    )
