"""Point-CMAE as a graph: points in; shape vectors and, where learnt, classes out."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from torch import Tensor, nn

from contraview.core.graph import Graph, Port
from contraview.core.seeds import numpy_generator
from contraview.evaluation.probes import LinearProbe
from contraview.evaluation.readouts import Readout
from contraview.modalities.clouds.data import Clouds
from contraview.modalities.clouds.views import unit_sphere
from contraview.systems.point_cmae.network import Encoder

MOST_DRAWN = 100
"""Clouds that are drawn to compare on."""
FEWEST = 26
"""Points of a cloud at the least: torch.cdist takes the distances of fewer another way."""


class FromPoints(nn.Module):
    """The common frame, the encoder and, where there is one, the probe."""

    def __init__(self, encoder: Encoder, probe: LinearProbe | None) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder).cpu()
        self.readout = None if probe is None else Readout(probe)
        self.eval()

    def forward(self, points: Float[Tensor, "n p 3"]) -> tuple[Tensor, ...]:
        """Shape vectors, and shares of the classes."""
        vectors = self.encoder(unit_sphere(points))
        return (vectors,) if self.readout is None else (vectors, self.readout(vectors))


def cloud_graph(
    encoder: Encoder,
    width: int,
    probe: LinearProbe | None,
    fewest: int,
    read: Callable[[Any], Clouds],
) -> Graph:
    """The graph of an encoder of clouds of any number of points from ``fewest`` on."""
    fewest = max(fewest, FEWEST)

    def held(count: int, seed: int) -> Clouds:
        draw, count = numpy_generator(seed, "held clouds"), min(count, MOST_DRAWN)
        points = draw.normal(size=(count, 2 * fewest, 3)).cumsum(1)
        return Clouds(points.astype(np.float32), pl.DataFrame({"cloud": range(count)}))

    vector = Port("embedding", "float32", ("n", width), "one vector a cloud, not normalised")
    outputs = {"embed": vector}
    facts: Mapping[str, Any] = {}
    if probe is not None:
        told = "a share of each of `classes`; they sum to 1"
        outputs["classify"] = Port("probability", "float64", ("n", len(probe.classes)), told)
        facts = {"classes": list(probe.classes)}
    told = f"x, y, z of each point, in any unit; at least {fewest} points, as many in each cloud"
    return Graph(
        network=FromPoints(encoder, probe),
        inputs=(Port("points", "float32", ("n", "p", 3), told),),
        outputs=outputs,
        feed=lambda clouds: {"points": read(clouds).points.astype(np.float32)},
        held=held,
        facts=facts,
        shortest={"p": fewest},
    )
