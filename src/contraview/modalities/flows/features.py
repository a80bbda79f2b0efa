"""From flow records to the matrix a model sees, by rules learnt on benign rows alone."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand, texts

SPREAD_FLOOR = 1e-6
"""A column whose standard deviation on benign rows is below this counts as constant."""


class FeatureMap:
    """Numeric columns as z-scores, categories as z-scored indicators; fitted on benign rows.

    Flow statistics span eight orders of magnitude, so numeric columns pass a signed logarithm
    first (``log=False`` for the paper's plain z-scores). Columns that are constant on the benign
    rows carry no information about benign traffic and are left out: they are in ``constant`` with
    their value. A missing or infinite value becomes the benign mean; a category that was never
    seen becomes the row of all-absent indicators.

    Attributes:
        numeric: the source columns behind the first matrix columns, in order.
        categories: for each categorical source column the values that have an indicator.
        constant: source columns left out, with the one value they had.
        owner: for each matrix column the index of its source column in `sources`.
    """

    numeric: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    constant: dict[str, float | str]
    mean: Float[np.ndarray, " d"]
    spread: Float[np.ndarray, " d"]
    log: bool

    @classmethod
    def fit(
        cls,
        rows: pl.DataFrame,
        numeric: Sequence[str],
        categorical: Sequence[str],
        *,
        log: bool = True,
    ) -> "FeatureMap":
        """Learn columns, means and standard deviations (n - 1) from benign rows."""
        if rows.height < 2:
            raise InputError(f"{rows.height} benign rows to learn from; expected at least 2")
        self = cls()
        self.log = log
        values = self._numbers(rows, numeric)
        with np.errstate(invalid="ignore"):
            held = np.isfinite(values)
        counts = held.sum(axis=0)
        filled = np.where(held, values, 0.0)
        mean = filled.sum(axis=0) / np.maximum(counts, 1)
        squares = np.where(held, (values - mean) ** 2, 0.0).sum(axis=0)
        spread = np.sqrt(squares / np.maximum(counts - 1, 1))
        varies = spread > SPREAD_FLOOR

        self.numeric = tuple(c for c, keep in zip(numeric, varies, strict=True) if keep)
        self.constant = {
            c: float(_unlog(mean[i]) if log else mean[i])
            for i, c in enumerate(numeric)
            if not varies[i] and counts[i]
        }
        self.categories = {}
        for column in categorical:
            seen = sorted(rows[column].cast(pl.String).drop_nulls().unique().to_list())
            if len(seen) == 1 and rows[column].null_count() == 0:
                self.constant[column] = seen[0]
            elif seen:
                self.categories[column] = tuple(seen)
        if not self.numeric and not self.categories:
            raise InputError("every input column is constant on the benign rows; nothing to learn")

        indicators = self._indicators(rows)
        self.mean = np.concatenate([mean[varies], indicators.mean(axis=0)])
        self.spread = np.concatenate([spread[varies], indicators.std(axis=0, ddof=1)])
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The source columns that reach the matrix, numeric ones first."""
        return (*self.numeric, *self.categories)

    @property
    def owner(self) -> Int[np.ndarray, " d"]:
        """For each matrix column the index of its source column in `sources`."""
        widths = [1] * len(self.numeric) + [len(values) for values in self.categories.values()]
        return np.repeat(np.arange(len(widths)), widths)

    @property
    def names(self) -> tuple[str, ...]:
        """A readable name for each matrix column: ``dur``, ``proto=tcp``."""
        indicators = (f"{c}={value}" for c, values in self.categories.items() for value in values)
        return (*self.numeric, *indicators)

    def transform(self, rows: pl.DataFrame) -> Float[np.ndarray, "n d"]:
        """The z-scored matrix of ``rows``, float32."""
        values = np.concatenate([self._numbers(rows, self.numeric), self._indicators(rows)], axis=1)
        scores = (values - self.mean) / np.maximum(self.spread, SPREAD_FLOOR)
        return np.where(np.isfinite(scores), scores, 0.0).astype(np.float32)

    def _numbers(self, rows: pl.DataFrame, columns: Sequence[str]) -> Float[np.ndarray, "n d"]:
        if not columns:
            return np.zeros((rows.height, 0))
        values = rows.select(pl.col(list(columns)).cast(pl.Float64)).to_numpy()
        if not self.log:
            return values
        return np.sign(values) * np.log1p(np.abs(values))

    def _indicators(self, rows: pl.DataFrame) -> Float[np.ndarray, "n d"]:
        blocks = [np.zeros((rows.height, 0))]
        for column, values in self.categories.items():
            codes = dict(zip(values, range(len(values)), strict=True))
            row_codes = (
                rows[column]
                .cast(pl.String)
                .replace_strict(codes, default=-1, return_dtype=pl.Int32)
                .fill_null(-1)
                .to_numpy()
            )
            blocks.append((row_codes[:, None] == np.arange(len(values))).astype(np.float64))
        return np.concatenate(blocks, axis=1)

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(
            arrays={"mean": self.mean, "spread": self.spread},
            facts={
                "numeric": list(self.numeric),
                "categories": {column: list(v) for column, v in self.categories.items()},
                "constant": self.constant,
                "log": self.log,
            },
        )

    @classmethod
    def restore(cls, learnt: Learnt) -> "FeatureMap":
        """The map that `learnt` described."""
        self = cls()
        self.mean, self.spread = array(learnt.arrays, "mean", 1), array(learnt.arrays, "spread", 1)
        self.numeric = texts(learnt.facts["numeric"], "numeric columns")
        self.categories = {c: texts(v, c) for c, v in learnt.facts["categories"].items()}
        self.constant = dict(learnt.facts["constant"])
        self.log = bool(learnt.facts["log"])
        width = len(self.owner)
        demand(
            width > 0 and len(self.mean) == len(self.spread) == width,
            f"features: {len(self.mean)} means for {width} columns",
        )
        demand(len(set(self.names)) == width, "features: a column twice")
        known = all(isinstance(value, str | int | float) for value in self.constant.values())
        demand(known, "features: a constant that is no value")
        return self


def _unlog(value: float) -> float:
    return float(np.sign(value) * np.expm1(np.abs(value)))
