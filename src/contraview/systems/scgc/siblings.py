"""What SCGC is compared with: the same network blind to edges, and networks that pass messages."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from contraview.core.run import Run
from contraview.modalities.graphs.adjacency import Sparse, as_torch, normalised, undirected
from contraview.modalities.graphs.data import Graph
from contraview.modalities.graphs.edges import Edges
from contraview.networks.fresh import fresh
from contraview.systems.scgc.training import constant
from contraview.training.loop import train
from contraview.training.step import Step


class GraphConvolutions(nn.Module):
    """Two graph convolutions: A relu(A X W) V with A = D^-1/2 (A + I) D^-1/2.

    Kipf and Welling 2017, arXiv 1609.02907.
    """

    def __init__(self, adjacency: Sparse, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.links = as_torch(normalised(adjacency, "symmetric"))
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """One vector a node."""
        mixed = torch.sparse.mm(self.links, self.first(rows)).relu()
        return torch.sparse.mm(self.links, self.second(mixed))


def graph_autoencoder(
    graph: Graph, run: Run, *, epochs: int, hidden: int = 32, code: int = 16, lr: float = 1e-2
) -> Float[np.ndarray, "n c"]:
    """Node embeddings of a graph autoencoder (Kipf and Welling 2016, arXiv 1611.07308).

    The product of two nodes' codes tells whether they are joined: the cross-entropy over the edges
    and as many random pairs, drawn anew at each step. Widths and rate are that paper's.
    """
    rows = torch.from_numpy(graph.features)
    edges = torch.from_numpy(np.stack(graph.adjacency.nonzero(), axis=1).astype(np.int64))
    model = fresh(
        lambda: GraphConvolutions(graph.adjacency, rows.shape[1], hidden, code),
        run.seed,
        "graph autoencoder",
    )

    def loss(model: nn.Module, _rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        codes = model(rows)
        others = torch.randint(len(rows), edges.shape, generator=generator)
        pairs = torch.cat([edges, others])
        logits = (codes[pairs[:, 0]] * codes[pairs[:, 1]]).sum(1)
        joined = torch.zeros(len(pairs)).index_fill_(0, torch.arange(len(edges)), 1.0)
        return Step(binary_cross_entropy_with_logits(logits, joined))

    every = torch.arange(len(rows))
    train(
        model,
        loss,
        lambda step: every,  # noqa: ARG005 each step sees the whole graph
        constant(epochs, len(rows), lr),
        run=run,
        name="graph autoencoder",
    )
    with torch.inference_mode():
        return model(rows).numpy()


def smoothed(graph: Graph, hops: int) -> Float[np.ndarray, "n d"]:
    """Features averaged over the neighbourhood ``hops`` times: message passing without learning.

    Wu et al. 2019, arXiv 1902.07153, without its classifier.
    """
    links, rows = normalised(graph.adjacency, "symmetric"), graph.features
    for _ in range(hops):
        rows = links @ rows
    return np.asarray(rows, np.float32)


def with_random_edges(graph: Graph, share: float, generator: np.random.Generator) -> Graph:
    """The graph with ``share`` of its number of edges added between random nodes."""
    edges = np.stack(sparse.triu(graph.adjacency).nonzero(), axis=1).astype(np.int64)
    added = generator.integers(0, len(graph), (round(share * len(edges)), 2))
    return replace(graph, edges=Edges(undirected(len(graph), np.concatenate([edges, added])), ()))
