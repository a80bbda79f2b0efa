"""How far out in the tails of each column a row is, columns taken one at a time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from contraview.core.learnt import Learnt, array, demand
from contraview.frameworks.one_class.rows import need_fit_rows, need_rows

ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Ecod:
    """Empirical tails of every column (ECOD: Li et al. 2022, arXiv:2201.00382).

    For a value x of a column with n fit values, left l = -log((number <= x, plus 1) / (n + 1)),
    right r = -log((number >= x, plus 1) / (n + 1)), and a = l where the column is skewed to the
    left (third central moment below 0), else r. A row's score is the largest of sum l, sum r and
    sum a over the columns, as in the paper's algorithm 1.

    Tails and skewness are those of the fit rows, so a row's score does not depend on the rows it
    is scored with; PyOD's ranks the scored rows among the fit rows, and takes the largest of the
    three a column, not a row.

    Attributes:
        ordered: for each column the fit values in ascending order.
        left_skewed: for each column whether it is skewed to the left.
    """

    ordered: Float32[np.ndarray, "d n"]
    left_skewed: Bool[np.ndarray, " d"]

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "n d"]) -> "Ecod":
        """Learn from benign rows."""
        need_fit_rows(rows)
        exact = rows.astype(np.float64)
        third_moment = ((exact - exact.mean(axis=0)) ** 3).mean(axis=0)
        ordered = np.sort(rows.T.astype(np.float32), axis=1)
        return cls(np.ascontiguousarray(ordered), third_moment < 0)

    def score(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The largest of the three sums, in nats."""
        need_rows(rows, len(self.ordered))
        tails = (self._tails(some).sum(dim=1).amax(dim=0) for some in self._tiles(rows))
        return torch.cat(list(tails)).numpy()

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(arrays={"ordered": self.ordered, "left_skewed": self.left_skewed})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Ecod":
        """The tails that `learnt` described."""
        ordered = array(learnt.arrays, "ordered", 2)
        skewed = array(learnt.arrays, "left_skewed", 1, "b")
        demand(
            ordered.dtype == np.float32 and len(skewed) == len(ordered) and ordered.shape[1] > 0,
            "ECOD: tails and skews that do not fit",
        )
        demand((np.diff(ordered, axis=1) >= 0).all(), "ECOD: values not in order")
        return cls(ordered, skewed)

    @cached_property
    def surprise(self) -> Float[Tensor, " counts"]:
        """-log((count + 1) / (n + 1)) for every count from 0 to n."""
        n = self.ordered.shape[1]
        return -torch.log(torch.arange(1, n + 2, dtype=torch.float64) / (n + 1))

    def _tiles(self, rows: Float[np.ndarray, "n d"]) -> tuple[Float32[Tensor, "_ d"], ...]:
        return torch.from_numpy(rows.astype(np.float32)).split(ROWS_AT_ONCE)

    def _tails(self, rows: Float32[Tensor, "m d"]) -> Float[Tensor, "3 d m"]:
        """Left, right and skew-side tail of every cell."""
        ordered, values = torch.from_numpy(self.ordered), rows.T.contiguous()
        up_to = torch.searchsorted(ordered, values, right=True)
        from_here = ordered.shape[1] - torch.searchsorted(ordered, values)
        left, right = self.surprise[up_to], self.surprise[from_here]
        skewed = torch.from_numpy(self.left_skewed)[:, None]
        return torch.stack([left, right, torch.where(skewed, left, right)])
