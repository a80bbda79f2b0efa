"""Flows that another program sends, scored at once."""

import threading
from collections.abc import Callable
from typing import Any, Final

import polars as pl
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contraview.apps.detection.detection import Judge, detect
from contraview.apps.detection.detector import Detector
from contraview.core.errors import InputError

MOST: Final = 1000
"""Flows of one request; its body ends at 64 KB anyway."""


class Sent(BaseModel):
    """Flow records, each an object of the columns that the model was fitted on."""

    model_config = ConfigDict(extra="forbid")

    flows: list[dict[str, str | int | float | bool | None]] = Field(min_length=1, max_length=MOST)


class Scoring:
    """Scores flow records by a model.

    Args:
        load: gives the fitted system.
        stamp: something that changes when the model does; it is then loaded again.
        max_fpr: the false-alarm rate, where not the model's own.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        stamp: Callable[[], object] = lambda: None,
        *,
        max_fpr: float | None = None,
    ) -> None:
        self._load, self._stamp, self._max_fpr = load, stamp, max_fpr
        self._held: tuple[object, Any] | None = None
        self._loading = threading.Lock()

    def score(self, sent: Sent) -> dict[str, Any]:
        """The score of each flow in order and, of a detector, the threshold and which are alerts.

        Raises:
            InputError: these are no flows of the model's kind, or one cannot be read.
        """
        system = self._system()
        try:
            table = pl.DataFrame(sent.flows, infer_schema_length=None)
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"flows: no table: {error}") from None
        flows = system.read(table)
        if len(flows) != table.height:
            raise InputError(f"flows: {table.height - len(flows)} of {table.height} are corrupt")
        if not isinstance(system, Detector):
            return {"threshold": None, "flows": [{"score": float(x)} for x in system.score(flows)]}
        judge = Judge(system, max_fpr=self._max_fpr)
        rows = pl.concat(list(detect(system, flows, judge=judge)))
        told = rows.select("score", "alert").to_dicts()
        return {"threshold": judge.threshold, "flows": told}

    def _system(self) -> Any:
        with self._loading:
            stamp = self._stamp()
            if self._held is None or self._held[0] != stamp:
                self._held = stamp, self._load()
            return self._held[1]


def scoring_api(scoring: Scoring) -> APIRouter:
    """One request, one answer; nothing of it is kept."""
    api = APIRouter(prefix="/api", tags=["scoring"])

    @api.post("/score")
    def score(sent: Sent) -> dict[str, Any]:
        """Scores flows: for each, in order, its `score` in nats (higher is more anomalous) and,
        where the model is a detector, whether it is an `alert` by the `threshold`. Suppression
        rules and groups are for what is watched, not for these.
        """
        return scoring.score(sent)

    return api
