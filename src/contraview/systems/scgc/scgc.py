"""SCGC (Kulatilleke, Portmann, Chandra 2022, arXiv:2204.12656)."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph as TensorGraph
from contraview.core.learnt import Learnt, array, demand, texts
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.modalities.graphs.adjacency import Sparse, normalised, powers
from contraview.modalities.graphs.data import Graph, GraphSource, read_graph
from contraview.systems.scgc.config import PRESETS, ScgcConfig
from contraview.systems.scgc.network import (
    Autoencoder,
    Clusterer,
    codes_of,
    fresh_autoencoder,
    nearest_centre,
)
from contraview.systems.scgc.training import contrast, k_means, pretrain


class Scgc(System):
    """Groups the nodes of a graph by features and edges, without labels.

    A plain perceptron reads a node's features alone. The edges enter through the loss: the nodes
    around a node, weighted by powers of the row-normalised adjacency, are its positives, all other
    nodes its negatives. Nothing is passed along edges, so a new node needs no edge to be placed.
    Soft groups around trainable centres are sharpened at the same time. The first weights are an
    autoencoder's, the first centres those of k-means on its code. Without edges each node's
    nearest neighbours stand in.

    Defaults are the paper's SCGC* (no decoder, powers summed); ``reconstruction=True,
    cumulative=False`` is its SCGC. Differs from the official code (github.com/gayanku/SCGC): the
    autoencoder is trained here; the last epoch is kept, where the official score is the best of
    200 epochs by the true labels, for each figure on its own; the sum over positives takes time
    and memory by edges, not n x n; above ``batch`` nodes a step sees a random part of them.

    Verbs: `embed` and `cluster`. Labels are never learnt from.
    """

    slug = "scgc"
    Config = ScgcConfig
    Source = GraphSource
    presets: ClassVar = PRESETS

    encoder: torch.nn.Module
    centres: Float[np.ndarray, "k c"]
    unit_centres: Float[np.ndarray, "k c"]

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Sizes of the graph, what was left out of it, features of uneven scale."""
        return read_graph(data).lines()

    def fit(self, graph: Any, /, *, run: Run | None = None) -> "Scgc":
        """Learn from a graph: a path, an array or a table of nodes, or (nodes, edges).

        Args:
            graph: see `read_graph`.
            run: seed, folder and progress.
        """
        run = run or Run()
        graph = read_graph(graph, self.source)
        k = self.clusters()
        if len(graph) < 2 * k:
            raise InputError(f"{graph.name}: {len(graph)} nodes for {k} groups; expected {2 * k}")
        self._columns = graph.nodes.columns
        self._mean, self._spread = self._scale_of(graph.features)
        rows, data = self._rows(graph), graph.fingerprint()
        self._facts = {
            "nodes": len(graph),
            "edges": int(graph.adjacency.nnz) // 2,
            "fingerprint": data,
        }
        run.log("data", **self._facts)
        autoencoder = self.fresh_autoencoder(rows.shape[1], run.seed)
        pretrain(autoencoder, rows, self.config, run, data)
        start = self.start(codes_of(autoencoder.encoder, rows), run.seed)
        clusterer = Clusterer(
            autoencoder, torch.from_numpy(start), reconstruction=self.config.reconstruction
        )
        contrast(clusterer, rows, self.positives(graph), self.config, run, data)
        self.encoder = clusterer.encoder.cpu()
        codes = _unit(codes_of(self.encoder, rows))
        self.unit_centres = k_means(codes, k, self.config.restarts, run.seed, "read-out")
        self.centres = clusterer.centres.detach().cpu().numpy()
        return self

    def clusters(self) -> int:
        """How many groups; an `InputError` where that was not said."""
        if self.config.clusters is None:
            raise InputError("scgc: how many groups? set clusters (--clusters K)")
        return self.config.clusters

    def positives(self, graph: Graph) -> Sparse:
        """S [n, n]: how much each node is a positive of each. Rows sum to 1, or to R cumulated."""
        walk = normalised(graph.adjacency, "random walk")
        return powers(walk, self.config.hops, cumulative=self.config.cumulative)

    def fresh_autoencoder(self, inputs: int, seed: int) -> Autoencoder:
        """The untrained autoencoder of a seed."""
        return fresh_autoencoder(inputs, self.config.hidden, self.config.code, seed)

    def start(self, codes: Float[np.ndarray, "n c"], seed: int) -> Float[np.ndarray, "k c"]:
        """The first centres: k-means on the codes of the autoencoder."""
        return k_means(codes, self.clusters(), self.config.restarts, seed, "centres")

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "centres")

    def embed(self, graph: Any, /) -> Float[np.ndarray, "n c"]:
        """The code of each node, from its features alone."""
        self.need_fit()
        graph = read_graph(graph, self.source)
        self._need_same_features(graph)
        return codes_of(self.encoder, self._rows(graph))

    def cluster(self, graph: Any, /) -> Int[np.ndarray, " n"]:
        """The group of each node, by the ``readout`` of the settings.

        "assignment" is the centre of the largest q, which is the nearest one; "k-means" the
        nearest of the centres that k-means found on the unit codes of the fitted nodes.
        """
        codes = self.embed(graph)
        if self.config.readout == "k-means":
            return nearest_centre(_unit(codes), self.unit_centres)
        return nearest_centre(codes, self.centres)

    def _need_same_features(self, graph: Graph) -> None:
        width = len(self._mean)
        if graph.features.shape[1] != width:
            raise InputError(
                f"{graph.name}: {graph.features.shape[1]} features; the model learnt from {width}"
            )
        there = graph.nodes.columns
        if there and self._columns and there != self._columns:
            pairs = zip(there, self._columns, strict=True)
            own, learnt = next(pair for pair in pairs if pair[0] != pair[1])
            raise InputError(f"{graph.name}: column {own!r} where the model learnt from {learnt!r}")

    def _scale_of(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        width = features.shape[1]
        if self.config.scaling != "standard":
            return np.zeros(width, np.float32), np.ones(width, np.float32)
        spread = features.std(axis=0, dtype=np.float64)
        spread[spread == 0] = 1
        mean = features.mean(axis=0, dtype=np.float64)
        return mean.astype(np.float32), spread.astype(np.float32)

    def _rows(self, graph: Graph) -> Float[Tensor, "n d"]:
        rows = (graph.features - self._mean) / self._spread
        return torch.from_numpy(_unit(rows) if self.config.scaling == "unit" else rows)

    def graph(self) -> TensorGraph:
        """Refused: a node's vector hangs on its neighbours, and so on the whole graph."""
        raise InputError(
            "scgc: a node's vector is made from the features of its neighbours, so there is no row "
            "that could be asked about without the whole graph"
        )

    def learnt(self) -> Learnt:
        """Encoder, both sets of centres, and the scale of the features."""
        arrays = {f"encoder.{name}": value for name, value in weights_of(self.encoder).items()}
        arrays |= {"centres": self.centres, "unit centres": self.unit_centres}
        arrays |= {"mean": self._mean, "spread": self._spread}
        return Learnt(arrays, facts={**self._facts, "columns": list(self._columns)})

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        arrays = learnt.arrays
        own = (("centres", 2), ("unit centres", 2), ("mean", 1), ("spread", 1))
        parts = [array(arrays, name, axes) for name, axes in own]
        demand(all(part.dtype == np.float32 for part in parts), "numbers of another precision")
        self.centres, self.unit_centres, self._mean, self._spread = parts
        self.encoder = self.fresh_autoencoder(len(self._mean), 0).encoder
        prefix = "encoder."
        set_weights(
            self.encoder,
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)},
        )
        self._facts = {key: value for key, value in learnt.facts.items() if key != "columns"}
        self._columns = texts(learnt.facts["columns"], "columns")
        width = len(self._mean)
        demand(len(self._spread) == width, "means and spreads that do not fit")
        demand(self.centres.shape == self.unit_centres.shape, "centres that do not fit")
        demand(len(self.centres) > 0, "no centres")


def _unit(vectors: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Each row at length one; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
