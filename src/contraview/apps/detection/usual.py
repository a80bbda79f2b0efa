"""What is usual on benign flows, column by column: the measure of what is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from contraview.apps.detection.services import services_of
from contraview.core.learnt import Learnt, array, demand
from contraview.modalities.flows.features import FeatureMap

SEEN = 3
"""Flows that make a service known: the ports of single transfers are none."""
MOST_SERVICES = 1_000
QUANTILES = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True)
class Usual:
    """What is usual on benign flows, column by column.

    Attributes:
        quantiles: for each numeric column its values at 0, .1, ..., 100 % of benign flows.
        shares: for each categorical column the share of benign flows with each category.
        row: the standardised row with every column at its usual value.
        services: the share of benign flows that was for each service (``tcp/443``) that was seen
            at least `SEEN` times; no host is named. None where the flows do not tell, or in models
            of earlier versions.
    """

    quantiles: dict[str, Float[np.ndarray, " q"]]
    shares: dict[str, dict[str, float]]
    row: Float[np.ndarray, " d"]
    services: dict[str, float] | None = None

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
        return cls(
            quantiles, shares, features.transform(pl.DataFrame([usual]))[0], services_in(rows)
        )

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
        facts = {"shares": self.shares, "services": self.services}
        return Learnt(arrays | {"row": self.row}, facts=facts)

    @classmethod
    def restore(cls, learnt: Learnt) -> "Usual":
        """What `learnt` described."""
        quantiles = {
            name.removeprefix("quantiles "): values
            for name, values in learnt.arrays.items()
            if name != "row"
        }
        facts = learnt.facts
        for name, values in quantiles.items():
            demand(values.shape == QUANTILES.shape, f"usual {name}: no quantiles")
        shares = {column: _shares(told) for column, told in facts["shares"].items()}
        services = facts.get("services")
        services = None if services is None else _shares(services)
        return cls(quantiles, shares, array(learnt.arrays, "row", 1), services)


def _shares(told: Mapping[str, Any]) -> dict[str, float]:
    demand(bool(told), "usual: a column without a value")
    return {name: float(share) for name, share in told.items()}


def services_in(rows: pl.DataFrame) -> dict[str, float] | None:
    """The share of the flows that was for each service, where the flows tell; see `Usual`."""
    told = services_of(rows).drop_nulls()
    if told.is_empty():
        return None
    counts = told.value_counts(sort=True).filter(pl.col("count") >= SEEN).head(MOST_SERVICES)
    pairs = zip(counts[told.name], counts["count"], strict=True)
    return {service: count / rows.height for service, count in pairs}
