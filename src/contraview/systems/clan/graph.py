"""CLAN as a graph: columns in; embedding, score and, where learnt, classes out."""

from copy import deepcopy

from jaxtyping import Float32
from torch import Tensor, nn

from contraview.core.graph import Port
from contraview.frameworks.one_class.centroid import Centroid
from contraview.frameworks.one_class.graphs import CentroidGraph
from contraview.modalities.flows.features import FeatureMap
from contraview.modalities.flows.graph import Standardised
from contraview.systems.clan.attack_naming import AttackNaming


class NamingGraph(nn.Module):
    """`AttackNaming.probabilities`."""

    def __init__(self, naming: AttackNaming) -> None:
        super().__init__()
        self.model = deepcopy(naming.model)
        self.register_buffer("shift", naming.shift)
        self.register_buffer("scale", naming.scale)

    def forward(self, rows: Float32[Tensor, "n d"]) -> Float32[Tensor, "n c"]:
        """The probability of each class."""
        scaled = (rows - self.get_buffer("shift")) / self.get_buffer("scale")
        return self.model(scaled).softmax(1)


class ClanGraph(nn.Module):
    """`Clan.embed`, `Clan.score` and `Clan.classify`, from columns."""

    def __init__(
        self,
        features: FeatureMap,
        encoder: nn.Module,
        centroid: Centroid,
        naming: AttackNaming | None,
    ) -> None:
        super().__init__()
        self.features, self.encoder = Standardised(features), deepcopy(encoder)
        self.centre = CentroidGraph(centroid)
        self.naming = None if naming is None else NamingGraph(naming)

    def forward(self, *columns: Tensor) -> tuple[Tensor, ...]:
        """Embedding, score and probabilities."""
        rows = self.features(columns)
        vectors = self.encoder(rows)
        found = vectors, self.centre(vectors)
        return found if self.naming is None else (*found, self.naming(rows))


def outputs(width: int, classes: int) -> dict[str, Port]:
    """What it gives, by verb."""
    ports = {
        "embed": Port("embedding", "float32", ("n", width), "one vector a flow, not normalised"),
        "score": Port(
            "score", "float64", ("n",), "minus the cosine to the benign centre; high is anomalous"
        ),
    }
    if classes:
        ports["classify"] = Port(
            "probability", "float32", ("n", classes), "of each of `classes`; they sum to 1"
        )
    return ports
