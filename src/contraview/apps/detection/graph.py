"""The detector as a graph: columns in, the quadratic mean of its calibrated views out."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from contraview.apps.detection.views import CATEGORY_WEIGHT, CLIP, View
from contraview.core.graph import Graph, Port
from contraview.frameworks.one_class.calibration import Calibration
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.forest import IsolationForest
from contraview.frameworks.one_class.graphs import (
    CalibrationsGraph,
    CentroidGraph,
    EcodGraph,
    ForestGraph,
    NeighboursGraph,
)
from contraview.modalities.flows.features import FeatureMap
from contraview.modalities.flows.graph import Standardised, drawn, fed, flow_ports, returned
from contraview.systems.clan import Clan

SCORE = Port(
    "score",
    "float64",
    ("n",),
    "quadratic mean of the views, in nats of surprise; high is anomalous",
)


class ClanView(nn.Module):
    """`Clan.exact_scores`."""

    def __init__(self, clan: Clan) -> None:
        super().__init__()
        self.encoder, self.centre = clan.exact_encoder, CentroidGraph(clan.centroid)

    def forward(self, rows: Float32[Tensor, "n d"]) -> Tensor:
        """Minus the cosine to the benign centre."""
        return self.centre(self.encoder(rows.double()))


class Metric(nn.Module):
    """The space of the kNN view, `contraview.apps.detection.views.metric`, and a view in it."""

    def __init__(self, features: FeatureMap, view: nn.Module) -> None:
        super().__init__()
        self.numbers, self.view = len(features.numeric), view
        self.register_buffer("spread", torch.from_numpy(features.spread[self.numbers :]))
        self.register_buffer("mean", torch.from_numpy(features.mean[self.numbers :]))
        self.register_buffer("weight", torch.tensor(CATEGORY_WEIGHT, dtype=torch.float64))

    def forward(self, rows: Float32[Tensor, "n d"]) -> Tensor:
        """What the view gives."""
        clipped = rows[:, : self.numbers].clamp(-CLIP, CLIP)
        known = rows[:, self.numbers :].double() * self.get_buffer("spread")
        indicators = self.get_buffer("weight") * (known + self.get_buffer("mean"))
        return self.view(torch.cat([clipped, indicators.float()], 1))


class DetectorGraph(nn.Module):
    """`Detector.score`, from columns."""

    def __init__(
        self, clan: Clan, models: Mapping[str, View], calibrations: Mapping[str, Calibration]
    ) -> None:
        super().__init__()
        self.features = Standardised(clan.features)
        views = [ClanView(clan), *(_network(clan.features, each) for each in models.values())]
        self.views = nn.ModuleList(views)
        self.surprises = CalibrationsGraph([calibrations[name] for name in ("clan", *models)])

    def forward(self, *columns: Tensor) -> tuple[Tensor]:
        """The score of each flow."""
        rows = self.features(columns)
        raw = torch.stack([view(rows) for view in self.views], 1)
        return (self.surprises(raw).square().mean(1).sqrt(),)


def _network(features: FeatureMap, view: View) -> nn.Module:
    if isinstance(view, Ecod):
        return EcodGraph(view)
    if isinstance(view, IsolationForest):
        return ForestGraph(view)
    return Metric(features, NeighboursGraph(view))


def detector_graph(
    clan: Clan,
    models: Mapping[str, View],
    calibrations: Mapping[str, Calibration],
    rows: Tensor | None,
    facts: Mapping[str, Any],
) -> Graph:
    """The graph of a detector.

    Args:
        clan: its first view, about the centre that is in force.
        models: its other views, as they are in force.
        calibrations: of each view.
        rows: held-out benign rows, standardised, to compare on; None where the model keeps none.
        facts: threshold and rate.
    """
    features = clan.features

    def held(count: int, seed: int) -> Any:
        if rows is None:
            return drawn(features, clan.kind, count, seed)
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        chosen = rows[order[torch.arange(count) % len(rows)]]
        return returned(features, clan.kind, chosen.numpy(), seed)

    return Graph(
        network=DetectorGraph(clan, models, calibrations),
        inputs=flow_ports(features),
        outputs={"score": SCORE},
        feed=partial(fed, features),
        held=held,
        facts={"kind": clan.kind, **facts},
    )
