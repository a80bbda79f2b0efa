"""Node tables, edge lists, archives."""

from pathlib import Path
from typing import Any

import numpy as np
from tests.fuzz import pack
from tests.fuzz.judge import Reader
from tests.fuzz.seeds import shapes
from tests.fuzz.wings.items import use

from contraview.modalities.graphs.data import read_graph


def _nodes(path: Path, **knobs: Any) -> None:
    graph = read_graph(path, neighbours=1, **knobs)
    use(graph)
    graph.lines()


def _edges(path: Path) -> None:
    graph = read_graph([np.eye(6, 3, dtype=np.float32) + 0.1, path])
    use(graph)
    graph.lines()


READERS = (
    Reader("nodes", "nodes.csv", lambda p: _nodes(p, id="id", labels="class"), shapes.nodes),
    Reader("graphs", "graph.npz", _nodes, shapes.graphs, pack.archive),
    Reader("edges", "edges.txt", _edges, shapes.edges),
    Reader("edge_arrays", "edges.npz", _edges, shapes.edge_arrays, pack.archive),
)
