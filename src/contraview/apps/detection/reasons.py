"""Why a flow stands out: the columns that, set to what is usual, would calm the detector."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float

from contraview.core.learnt import Learnt
from contraview.modalities.flows.features import FeatureMap

if TYPE_CHECKING:
    from contraview.apps.detection.detector import Detector

QUANTILES = np.linspace(0.0, 1.0, 1001)
ROWS_AT_ONCE = 32_768


@dataclass(frozen=True)
class Reason:
    """One column of one flow.

    Attributes:
        column: the source column.
        value: what the flow has there.
        usual: what a benign flow has there: the median, or the commonest category.
        percentile: share of benign flows, in percent, at or below the value; for a category the
            share of benign flows that have it.
        effect: how much of the score goes away when the column is set to ``usual``, in nats.
    """

    column: str
    value: int | float | str | None
    usual: float | str
    percentile: float
    effect: float


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


def explain(detector: "Detector", rows: pl.DataFrame, *, top: int = 5) -> list[list[Reason]]:
    """For each row its columns with the largest effect on the score, largest first.

    Every source column in turn is set to its usual value and the flow is scored again; rows and
    columns are batched together.
    """
    features, usual = detector.clan.features, detector.usual
    sources, owner = features.sources, features.owner
    matrix = features.transform(rows)
    score = detector.score_rows(matrix)
    calmed = np.stack([np.where(owner == s, usual.row, 0.0) for s in range(len(sources))])
    kept = np.stack([owner != s for s in range(len(sources))]).astype(matrix.dtype)

    at_once = max(ROWS_AT_ONCE // len(sources), 1)
    effects = []
    for start in range(0, len(matrix), at_once):
        part = matrix[start : start + at_once]
        swapped = (part[:, None, :] * kept + calmed).astype(np.float32)
        again = detector.score_rows(swapped.reshape(-1, matrix.shape[1]))
        effects.append(score[start : start + at_once, None] - again.reshape(len(part), -1))
    strongest = np.argsort(-np.concatenate(effects), axis=1, kind="stable")[:, :top]
    all_effects = np.concatenate(effects)

    def reason(row: dict[str, Any], i: int, s: int) -> Reason:
        column = sources[s]
        value = row[column]
        return Reason(
            column,
            value,
            usual.value(column),
            usual.percentile(column, value),
            float(all_effects[i, s]),
        )

    named = rows.select(sources).to_dicts()
    return [[reason(named[i], i, s) for s in order] for i, order in enumerate(strongest.tolist())]
