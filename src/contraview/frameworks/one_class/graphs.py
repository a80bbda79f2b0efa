"""One-class scorers as networks: gathers, sorts and products, for graphs that run elsewhere.

Each gives what its scorer of the same name gives in NumPy, in the same precision.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64, Shaped
from torch import Tensor, nn

from contraview.frameworks.one_class.calibration import ROUNDING, Calibration
from contraview.frameworks.one_class.centroid import TINY, Centroid
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.forest import IsolationForest
from contraview.frameworks.one_class.neighbours import Neighbours


class CentroidGraph(nn.Module):
    """`Centroid.score`."""

    def __init__(self, centroid: Centroid) -> None:
        super().__init__()
        centre = centroid.mean / np.linalg.norm(centroid.mean)
        self.register_buffer("centre", torch.from_numpy(centre).double())

    def forward(self, rows: Float[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """Minus the cosine to the centre."""
        rows = rows.double()
        length = rows.square().sum(1, keepdim=True).sqrt().clamp(min=TINY)
        return -((rows / length) @ self.get_buffer("centre")[:, None])[:, 0]


class Counts(nn.Module):
    """How many of a column's ordered values lie below a value, by halving: ONNX has no such search.

    Args:
        ordered: for each column its values in ascending order.
    """

    def __init__(self, ordered: Shaped[np.ndarray, "d m"]) -> None:
        super().__init__()
        columns, self.values = ordered.shape
        self.halvings = self.values.bit_length()
        # As many as halving needs; what is added is above all that is asked about.
        table = np.full((columns, 2**self.halvings), np.inf, ordered.dtype)
        table[:, : self.values] = ordered
        ends = np.stack([np.searchsorted(each, each, side="right") for each in table])
        self.register_buffer("table", torch.from_numpy(table.ravel()))
        self.register_buffer("ends", torch.from_numpy(ends.ravel()))
        self.register_buffer("first", torch.arange(columns) * table.shape[1])

    def forward(self, values: Float[Tensor, "n d"]) -> tuple[Int64[Tensor, "n d"], Tensor]:
        """For each column how many of its values are below each value; below or equal to it."""
        table, first = self.get_buffer("table"), self.get_buffer("first")
        below = torch.zeros_like(values, dtype=torch.int64)
        for halving in reversed(range(self.halvings)):
            there = looked_up(table, first + below + (2**halving - 1))
            below = below + (there < values).long() * 2**halving
        equal = looked_up(table, first + below) == values
        return below, torch.where(equal, looked_up(self.get_buffer("ends"), first + below), below)


def looked_up(table: Shaped[Tensor, " m"], places: Int64[Tensor, "n d"]) -> Shaped[Tensor, "n d"]:
    """``table[places]``, in a form that becomes one plain gather."""
    return table.index_select(0, places.flatten()).view(places.shape)


class EcodGraph(nn.Module):
    """`Ecod.score`."""

    def __init__(self, ecod: Ecod) -> None:
        super().__init__()
        self.counts = Counts(ecod.ordered)
        self.register_buffer("surprise", ecod.surprise.clone())
        self.register_buffer("left_skewed", torch.from_numpy(ecod.left_skewed))

    def forward(self, rows: Float32[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """The largest of the three sums of tails."""
        below, up_to = self.counts(rows)
        left = looked_up(self.get_buffer("surprise"), up_to)
        right = looked_up(self.get_buffer("surprise"), self.counts.values - below)
        skewed = torch.where(self.get_buffer("left_skewed"), left, right)
        return torch.stack([left.sum(1), right.sum(1), skewed.sum(1)]).amax(0)


class ForestGraph(nn.Module):
    """`IsolationForest.score`: all rows go down all trees, a level at a time."""

    def __init__(self, forest: IsolationForest) -> None:
        super().__init__()
        self.depth, lengths = forest.paths
        self.trees = forest.trees
        # Numbers are stored as tensors: what is written as a plain number is rounded to 32 bits.
        rate = torch.tensor(-math.log(2) / forest.expected, dtype=torch.float64)
        self.register_buffer("rate", rate)
        for name, array in (
            ("feature", forest.feature.astype(np.int64)),
            ("below", forest.children.astype(np.int64)),
            ("threshold", forest.threshold),
            ("lengths", lengths),
        ):
            self.register_buffer(name, torch.from_numpy(array))

    def forward(self, rows: Float32[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """2^(-mean path length / expected path length)."""
        node = torch.arange(self.trees).expand(rows.shape[0], self.trees)
        for _ in range(self.depth):
            values = rows.gather(1, looked_up(self.get_buffer("feature"), node))
            above = values > looked_up(self.get_buffer("threshold"), node)
            node = looked_up(self.get_buffer("below"), node) + above.long()
        mean = looked_up(self.get_buffer("lengths"), node).mean(1)
        return torch.exp(mean * self.get_buffer("rate"))


class NeighboursGraph(nn.Module):
    """`Neighbours.score`: a product with the whole bank, and the k-th smallest distance.

    n rows take n times as many numbers as the bank has rows.
    """

    def __init__(self, neighbours: Neighbours) -> None:
        super().__init__()
        self.k = neighbours.k
        bank = torch.from_numpy(neighbours.bank).double()
        squares = bank.square().sum(1)
        self.register_buffer("bank", bank.T.contiguous())
        self.register_buffer("squares", squares)
        noise = torch.finfo(torch.float64).eps * bank.shape[1]
        self.register_buffer("noise", torch.tensor(noise, dtype=torch.float64))
        self.register_buffer("largest", squares.max())

    def forward(self, rows: Float32[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """The Euclidean distance to the k-th nearest row of the bank."""
        rows = rows.double()
        own = rows.square().sum(1, keepdim=True)
        apart = self.get_buffer("squares") - 2 * (rows @ self.get_buffer("bank")) + own
        hidden = self.get_buffer("noise") * (self.get_buffer("largest") + own)
        # What rounding cannot tell from zero is zero.
        near = torch.where(apart > hidden, apart, 0.0).float()
        kth = near.topk(self.k, dim=1, largest=False, sorted=True).values[:, -1]
        # The nearest single-precision root, which not every runtime's own single-precision one is.
        return kth.double().sqrt().float().double()


class CalibrationsGraph(nn.Module):
    """`Calibration.surprise` of several scores, each by a calibration on as many rows."""

    def __init__(self, calibrations: Sequence[Calibration]) -> None:
        super().__init__()
        self.counts = Counts(np.stack([each.ordered for each in calibrations]))
        self.register_buffer("empirical", torch.from_numpy(calibrations[0].empirical))
        for name in ("start", "shape", "scale", "share"):
            values = [getattr(each, name) for each in calibrations]
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        self.register_buffer("rounding", torch.tensor(ROUNDING, dtype=torch.float64))

    def forward(self, scores: Float64[Tensor, "n v"]) -> Float64[Tensor, "n v"]:
        """-log p in nats."""
        start, shape = self.get_buffer("start"), self.get_buffer("shape")
        low = scores - self.get_buffer("rounding") * scores.abs().clamp(min=1)
        below, _ = self.counts(low)
        empirical = looked_up(self.get_buffer("empirical"), self.counts.values - below)
        excess = (scores - start).clamp(min=0)
        tail = torch.log(1 + shape * excess / self.get_buffer("scale")) / shape
        return torch.where(low > start, tail - self.get_buffer("share").log(), empirical)
