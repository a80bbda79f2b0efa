"""How a node looks: to whom it is joined, and its largest features."""

from typing import Final

import numpy as np

from contraview.core.shown import Shown, words
from contraview.modalities.graphs.data import Graph

JOINED: Final = 12
FEATURES: Final = 8


def show(data: Graph, i: int) -> Shown:
    """Name, class, neighbours and the features furthest from zero, as text."""
    names = data.nodes.ids or tuple(map(str, range(len(data))))
    adjacency, features = data.adjacency, data.features[i]
    joined = adjacency.indices[adjacency.indptr[i] : adjacency.indptr[i + 1]]
    largest = np.argsort(-np.abs(features), kind="stable")[:FEATURES]
    lines = [f"node {names[i]}"]
    if data.nodes.classes is not None:
        lines.append(f"class {data.nodes.classes[i]}")
    more = f" and {len(joined) - JOINED} more" if len(joined) > JOINED else ""
    lines.append(f"joined to {', '.join(names[j] for j in joined[:JOINED]) or 'none'}{more}")
    called = data.nodes.columns or tuple(f"feature {f}" for f in range(len(features)))
    lines += [f"{called[f]} {features[f]:.4g}" for f in largest if features[f]]
    return words("\n".join(lines))
