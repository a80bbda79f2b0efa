"""Why a flow stands out: the columns that, set to what is usual, would calm the detector."""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from contraview.apps.detection.detector import Detector

ROWS_AT_ONCE = 32_768
MANY = 1_000
"""Rows beyond which those that are alike are explained together."""
_PARTS: Final = re.compile(r"^(?:fwd_|bwd_)?(.+?)(?:_(?:tot|max|min|mean|std|var))?$")


@dataclass(frozen=True)
class Reason:
    """One column of one flow.

    Attributes:
        column: the source column.
        value: what the flow has there.
        usual: what a benign flow has there: the median, or the commonest category.
        percentile: share of benign flows, in percent, at or below the value; for a category the
            share of benign flows that have it.
        effect: how much of the score hangs on the column, in nats; see `explain`.
    """

    column: str
    value: int | float | str | None
    usual: float | str
    percentile: float
    effect: float


def explain(detector: Detector, rows: pl.DataFrame, *, top: int = 5) -> list[list[Reason]]:
    """For each row its columns with the largest effect on the score, largest first.

    A column's effect is the mean of two differences: what the score loses when that column alone
    is set to its usual value, and what the score of the usual flow gains when that column alone is
    set to the row's value. The first alone says little where columns repeat each other (bytes,
    packets, mean length), the second alone where it is a combination that is unusual; they are the
    first and the last step of a Shapley value. Rows and columns are batched together. Of more than
    `MANY` rows, those that agree to a tenth of a benign standard deviation in every input share
    the effects of the first of them: a scan of 100,000 flows must not hold the watcher up.
    """
    features, usual = detector.clan.features, detector.usual
    sources = features.sources
    own = features.owner == np.arange(len(sources))[:, None]
    matrix = features.transform(rows)
    shown = np.arange(len(matrix))
    if len(matrix) > MANY:
        _, first, shown = np.unique(
            np.round(matrix, 1), axis=0, return_index=True, return_inverse=True
        )
        matrix = matrix[first]
    at_once = max(ROWS_AT_ONCE // len(sources), 1)
    effects = np.concatenate(
        [
            _effects(detector, matrix[start : start + at_once], own)
            for start in range(0, max(len(matrix), 1), at_once)
        ]
    )[shown]
    strongest = np.argsort(-effects, axis=1, kind="stable")[:, :top].tolist()

    def reason(row: dict[str, Any], i: int, s: int) -> Reason:
        value = row[sources[s]]
        return Reason(
            sources[s],
            value,
            usual.value(sources[s]),
            usual.percentile(sources[s], value),
            float(effects[i, s]),
        )

    named = rows.select(sources).to_dicts()
    return [[reason(named[i], i, s) for s in order] for i, order in enumerate(strongest)]


def aspect(column: str) -> str:
    """What a statistic is about, without direction and summary: ``bwd_iat_max`` is ``iat``."""
    found = _PARTS.match(column)
    return found[1] if found else column


def _effects(
    detector: Detector, matrix: Float[np.ndarray, "n d"], own: Bool[np.ndarray, "s d"]
) -> Float[np.ndarray, "n s"]:
    """The effect of each source column of each row; ``own`` says which cells a source owns."""
    usual = detector.usual.row
    without = np.where(own, usual, matrix[:, None, :])
    alone = np.where(own, matrix[:, None, :], usual)

    def scores(changed: Float[np.ndarray, "n s d"]) -> Float[np.ndarray, "n s"]:
        flat = changed.reshape(-1, matrix.shape[1])
        return detector.score_rows(flat).reshape(changed.shape[:2])

    lost = detector.score_rows(matrix)[:, None] - scores(without)
    gained = scores(alone) - detector.score_rows(usual[None])[0]
    return (lost + gained) / 2
