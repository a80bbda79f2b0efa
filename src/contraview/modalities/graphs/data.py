"""Attributed graphs as a person has them: `read_graph` gives a `Graph`."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float32, Int, Shaped
from pydantic import Field
from scipy import sparse

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.numpy_files import read_npy
from contraview.modalities.graphs.adjacency import Sparse, nearest_neighbours
from contraview.modalities.graphs.archives import Archive, read_archive
from contraview.modalities.graphs.edges import Edges, read_edges
from contraview.modalities.graphs.nodes import Nodes, nodes_of_array, nodes_of_table, read_table

EXPECTED = (
    "a node table (CSV, TSV, Parquet, .npy, array) or an .npz, and perhaps an edge list after it"
)
UNEVEN = 100.0
"""Columns whose spreads differ by more than this factor are worth a word."""


class GraphSource(Config):
    """How a graph is read."""

    id: str | None = Field(
        None, description="the column with the nodes' names, as edges use them; else numbers from 0"
    )
    labels: str | None = Field(
        None, description="the column (or array of an .npz) with the class of each node, to compare"
    )
    drop: tuple[str, ...] = Field((), description="columns that are no features")
    neighbours: int = Field(
        3, ge=1, description="k: without an edge list nodes are joined to their k nearest"
    )
    metric: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="what nearest means where there is no edge list"
    )

    def read(self, source: Any) -> "Graph":
        """The graph of ``source``; see `read_graph`."""
        if isinstance(source, Graph):
            return source
        parts = list(source) if isinstance(source, list | tuple) else [source]
        if not 1 <= len(parts) <= 2:
            raise InputError(f"a graph of {len(parts)} parts; expected {EXPECTED}")
        nodes, own = self._nodes(parts[0])
        name = str(parts[0]) if isinstance(parts[0], str | Path) else "nodes"
        given = parts[1] if len(parts) == 2 else own
        edges = None if given is None else read_edges(given, nodes.ids, len(nodes.features))
        return Graph(name, nodes, edges, self.labels, self.neighbours, self.metric)

    def _nodes(self, source: Any) -> tuple[Nodes, Any]:
        """The nodes, and the edges that came with them."""
        if type(source).__module__.startswith("pandas"):
            source = pl.from_pandas(source)
        if isinstance(source, str | Path) and str(source):
            path = Path(source)
            if not path.is_file():
                raise InputError(f"{path}: no such file; expected {EXPECTED}")
            if path.suffix == ".npz":
                archive = read_archive(path, self.labels)
                return self._archived(archive, str(path))
            if path.suffix == ".npy":
                return nodes_of_array(read_npy(path, str(path)), str(path)), None
            return self._table(read_table(path), str(path)), None
        if isinstance(source, pl.DataFrame):
            return self._table(source, "nodes"), None
        if isinstance(source, np.ndarray) or sparse.issparse(source):
            return nodes_of_array(source, "nodes"), None
        raise InputError(f"{source!r:.60}: expected {EXPECTED}")

    def _archived(self, archive: Archive, name: str) -> tuple[Nodes, Any]:
        return nodes_of_array(archive.features, name, archive.classes), archive.edges

    def _table(self, table: pl.DataFrame, name: str) -> Nodes:
        return nodes_of_table(table, name, ids=self.id, labels=self.labels, drop=self.drop)


def read_graph(source: Any, settings: GraphSource | None = None, **knobs: Any) -> "Graph":
    """Read an attributed graph.

    Args:
        source: the nodes, or (nodes, edges). Nodes are a CSV, TSV or Parquet table of numbers, an
            .npy or array [n, d], a scipy matrix, a polars or pandas table, or an .npz that may
            bring edges and classes; edges are whatever `read_edges` takes. Without edges the
            graph joins each node to its nearest neighbours. A `Graph` is given back as it is.
        settings: how to read it.
        **knobs: the fields of `GraphSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, damaged, a cell that is no number, an unknown node.
    """
    return (settings or GraphSource.of(**knobs)).read(source)


@dataclass(frozen=True)
class Graph:
    """Nodes with features, and which belong together. Data for `fit` and the verbs.

    Attributes:
        name: the file, for messages.
        nodes: features, names and classes.
        edges: what was given; None where there were none.
        label: the name of the column that the classes are from.
        neighbours: k of the graph that stands in for missing edges.
        metric: of that graph.
    """

    name: str
    nodes: Nodes
    edges: Edges | None = None
    label: str | None = None
    neighbours: int = 3
    metric: Literal["euclidean", "cosine"] = "euclidean"

    @property
    def features(self) -> Float32[np.ndarray, "n d"]:
        """One row a node."""
        return self.nodes.features

    @cached_property
    def adjacency(self) -> Sparse:
        """Symmetric [n, n] without self-loops: the edges given, else the nearest neighbours."""
        if self.edges is not None:
            return self.edges.adjacency
        try:
            return nearest_neighbours(self.features, self.neighbours, self.metric)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None

    def __len__(self) -> int:
        return len(self.features)

    def parts(self) -> Iterator["Graph"]:
        """The whole graph: it is in memory."""
        yield self

    def collect(self) -> pl.DataFrame:
        """One row a node: its name, or its number from 0."""
        return pl.DataFrame({"node": self.nodes.ids or np.arange(len(self))})

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The class of each node; an `InputError` where it is not known."""
        if self.nodes.classes is None:
            raise InputError(
                f"{self.name}: the nodes' classes are not known; name their column with labels"
            )
        return self.nodes.classes

    def take(self, rows: Int[np.ndarray, " m"] | Sequence[int]) -> "Graph":
        """The nodes with these numbers, in this order, and the edges among them."""
        rows = np.asarray(rows, np.int64)
        nodes = self.nodes
        edges = None
        if self.edges is not None:
            edges = Edges(Sparse(self.edges.adjacency[rows][:, rows]), self.edges.notes)
        return replace(
            self,
            nodes=Nodes(
                nodes.features[rows],
                nodes.columns,
                None if nodes.ids is None else tuple(nodes.ids[row] for row in rows),
                None if nodes.classes is None else nodes.classes[rows],
            ),
            edges=edges,
        )

    def fingerprint(self) -> str:
        """SHA-256 over features and edges; names and classes are not part of it."""
        digest = hashlib.sha256("\x1f".join(self.nodes.columns).encode())
        digest.update(repr(self.features.shape).encode())
        digest.update(np.ascontiguousarray(self.features).tobytes())
        if self.edges is None:
            digest.update(f"{self.neighbours} {self.metric}".encode())
        else:
            for part in ("indptr", "indices", "data"):
                kind = np.float32 if part == "data" else np.int64
                digest.update(getattr(self.edges.adjacency, part).astype(kind).tobytes())
        return digest.hexdigest()

    def lines(self) -> list[str]:
        """What is worth knowing before learning from it, in sentences."""
        adjacency = self.adjacency
        degree = np.diff(adjacency.indptr)
        origin = "" if self.edges else f" to {self.neighbours} nearest neighbours ({self.metric})"
        size = f"{len(self):,} nodes, {self.features.shape[1]:,} features"
        links = f"{adjacency.nnz // 2:,} edges{origin}, {degree.mean():.1f} a node"
        told = [f"{self.name}: {size}, {links}"]
        told += self.edges.notes if self.edges else ()
        spread = self.features.std(axis=0)
        varied = spread[spread > 0]
        if len(varied) < len(spread):
            told.append(f"{self.name}: {len(spread) - len(varied)} features never vary")
        if (
            len(varied)
            and varied.max() > UNEVEN * varied.min()
            and len(np.unique(self.features)) > 2
        ):
            told.append(
                f"{self.name}: the spreads of the features differ by a factor of "
                f"{varied.max() / varied.min():,.0f}; consider --scaling standard"
            )
        return told
