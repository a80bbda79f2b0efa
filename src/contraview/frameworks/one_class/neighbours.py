"""Distance to the k-th nearest benign row: far from everything that was seen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from contraview.core.learnt import Learnt, array, demand
from contraview.core.seeds import numpy_generator
from contraview.frameworks.one_class.rows import need_fit_rows, need_rows
from contraview.index.exact import nearest


@dataclass(frozen=True)
class Neighbours:
    """The benign rows, and which neighbour counts.

    Attributes:
        bank: the rows that distances are taken to.
        k: the distance is that to the k-th nearest of them.
    """

    bank: Float[np.ndarray, "n d"]
    k: int

    @classmethod
    def fit(
        cls,
        rows: Float[np.ndarray, "n d"],
        *,
        k: int = 5,
        cap: int | None = None,
        seed: int = 0,
    ) -> "Neighbours":
        """Keep benign rows.

        Args:
            rows: benign rows, in a space where Euclidean distance means something.
            k: which neighbour counts; lowered to the number of rows where there are fewer.
            cap: keep at most this many, drawn at random by ``seed``: the time to score a row and
                the size on disk grow with the bank. None keeps all.
            seed: where the draw comes from.
        """
        need_fit_rows(rows, fewest=1)
        if cap is not None and cap < len(rows):
            drawn = numpy_generator(seed, "neighbours").choice(len(rows), cap, replace=False)
            rows = rows[np.sort(drawn)]
        return cls(rows.astype(np.float32), min(k, len(rows)))

    def score(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The Euclidean distance to the k-th nearest row of the bank."""
        need_rows(rows, self.bank.shape[1])
        queries = torch.from_numpy(rows.astype(np.float32))
        distances, _ = nearest(torch.from_numpy(self.bank), queries, self.k)
        return distances[:, -1].numpy().astype(np.float64)

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(arrays={"bank": self.bank}, facts={"k": self.k})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Neighbours":
        """The bank that `learnt` described."""
        bank, k = array(learnt.arrays, "bank", 2), learnt.facts["k"]
        demand(type(k) is int and 1 <= k <= len(bank), f"neighbours: no {k!r}-th of {len(bank)}")
        return cls(bank, k)
