"""What needs no score: a column that never moved moves, a category appears that was never seen."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool

from contraview.core.learnt import Learnt, demand, texts
from contraview.modalities.flows.features import FeatureMap


@dataclass(frozen=True)
class Rules:
    """Alerts of their own, beside the score.

    Attributes:
        constant: columns with the one value they had on the benign flows that were learnt from.
        categories: categorical columns with every value they had there.
        rate: share of the held-out benign flows on which a rule fires all the same.
    """

    constant: dict[str, float | str]
    categories: dict[str, tuple[str, ...]]
    rate: float

    @classmethod
    def fit(cls, features: FeatureMap, held_out: pl.DataFrame) -> "Rules":
        """The rules of a feature map; ``held_out`` benign flows tell how often they misfire."""
        rules = cls(features.constant, features.categories, 0.0)
        rate = rules.misfires(held_out) / max(held_out.height, 1)
        return cls(features.constant, features.categories, rate)

    def broken(self, rows: pl.DataFrame) -> dict[str, Bool[np.ndarray, " n"]]:
        """For each column with a rule, which rows break it."""
        tests: dict[str, pl.Expr] = {}
        for column, value in self.constant.items():
            if isinstance(value, str):
                tests[column] = pl.col(column).cast(pl.String).ne_missing(value)
            else:
                moved = (pl.col(column).cast(pl.Float64) - value).abs()
                tests[column] = (moved > 1e-6 * max(1.0, abs(value))).fill_null(False)
        for column, values in self.categories.items():
            seen = pl.col(column).cast(pl.String).is_in(values)
            tests[column] = (~seen).fill_null(False)
        fired = rows.select(**tests)
        return {column: fired[column].to_numpy() for column in fired.columns}

    def misfires(self, benign: pl.DataFrame) -> int:
        """How many benign rows break a rule."""
        return int(np.any(list(self.broken(benign).values()) or [[False]], axis=0).sum())

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(
            facts={
                "constant": self.constant,
                "categories": {column: list(v) for column, v in self.categories.items()},
                "rate": self.rate,
            }
        )

    @classmethod
    def restore(cls, learnt: Learnt) -> "Rules":
        """The rules that `learnt` described."""
        facts = learnt.facts
        categories = {
            column: texts(values, column) for column, values in facts["categories"].items()
        }
        constant, rate = dict(facts["constant"]), float(facts["rate"])
        known = all(isinstance(value, str | int | float) for value in constant.values())
        demand(known and 0 <= rate <= 1, "rules: a constant that is no value, or no rate")
        return cls(constant, categories, rate)
