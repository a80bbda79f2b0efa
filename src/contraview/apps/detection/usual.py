"""What is usual on benign flows, column by column: the measure of what is not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from contraview.core.learnt import Learnt
from contraview.modalities.flows.features import FeatureMap

QUANTILES = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True)
class Usual:
    """What is usual on benign flows, column by column.

    Attributes:
        quantiles: for each numeric column its values at 0, .1, ..., 100 % of benign flows.
        shares: for each categorical column the share of benign flows with each category.
        row: the standardised row with every column at its usual value.
    """

    quantiles: dict[str, Float[np.ndarray, " q"]]
    shares: dict[str, dict[str, float]]
    row: Float[np.ndarray, " d"]

    @classmethod
    def fit(cls, features: FeatureMap, rows: pl.DataFrame) -> "Usual":
        """Learn from benign rows."""
        quantiles = {
            column: np.nanquantile(rows[column].cast(pl.Float64).to_numpy(), QUANTILES)
            for column in features.numeric
        }
        shares = {}
        for column in features.categories:
            counts = rows[column].cast(pl.String).drop_nulls().value_counts(sort=True)
            shares[column] = {
                name: count / rows.height
                for name, count in zip(counts[column], counts["count"], strict=True)
            }
        usual: dict[str, Any] = {
            **{column: float(q[len(q) // 2]) for column, q in quantiles.items()},
            **{column: next(iter(share)) for column, share in shares.items()},
        }
        return cls(quantiles, shares, features.transform(pl.DataFrame([usual]))[0])

    def value(self, column: str) -> float | str:
        """The usual value of a column."""
        if column in self.quantiles:
            return float(self.quantiles[column][len(QUANTILES) // 2])
        return next(iter(self.shares[column]))

    def percentile(self, column: str, value: int | float | str | None) -> float:
        """Percent of benign flows at or below a number, or with a category."""
        if column in self.shares:
            return 100.0 * self.shares[column].get(str(value), 0.0)
        if value is None:
            return 0.0
        place = np.searchsorted(self.quantiles[column], float(value), side="right")
        return float(100.0 * place / len(QUANTILES))

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        arrays = {f"quantiles {column}": q for column, q in self.quantiles.items()}
        return Learnt(arrays | {"row": self.row}, facts={"shares": self.shares})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Usual":
        """What `learnt` described."""
        quantiles = {
            name.removeprefix("quantiles "): values
            for name, values in learnt.arrays.items()
            if name != "row"
        }
        return cls(quantiles, learnt.facts["shares"], learnt.arrays["row"])
