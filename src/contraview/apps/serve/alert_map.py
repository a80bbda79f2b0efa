"""Alerts on the embedding map: two principal axes of what is benign, and each flow's neighbours."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from fastapi import APIRouter, HTTPException
from jaxtyping import Float

from contraview.apps.detection.detector import Detector
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.watch.health import ModelWatch
from contraview.apps.serve.principal import Axes, unit
from contraview.apps.serve.queries import Queries
from contraview.apps.serve.store import Store
from contraview.core.seeds import numpy_generator

REFERENCE: Final = 1_500
"""Benign flows on the map."""
GROUPS: Final = 2_000
"""Groups on the map, the latest."""
NEAREST: Final = 8


class AlertMap:
    """Places alerts among benign flows and among each other.

    The model is loaded when it is first asked for, and again when the folder changes.

    Args:
        store: the alerts; each carries the columns that it was judged by.
        queries: gives groups as the page shows them.
        folder: the model's.
        benign: benign flows for the map; else those that the model keeps in reserve.
    """

    def __init__(self, store: Store, queries: Queries, folder: Path, benign: Path | None) -> None:
        self._store, self._queries = store, queries
        self._folder, self._benign = folder, benign
        self._lock = threading.Lock()
        self._watch: ModelWatch | None = None
        self._detector: Detector | None = None
        self._reference = np.empty((0, 0))
        self._axes: Axes | None = None
        self._known: dict[int, Float[np.ndarray, " e"]] = {}

    def points(self) -> dict[str, Any]:
        """Benign flows and the latest groups, each at its place."""
        with self._lock:
            groups, vectors = self._groups()
            axes = self._need_axes(vectors)
            return {
                "explained": axes.explained,
                "benign": _places(axes(self._reference)),
                "places": _places(axes(vectors)),
                "groups": [row["id"] for row in groups],
                "labels": [row["label"] for row in groups],
                "severity": [row["severity"] for row in groups],
            }

    def neighbours(self, group: int) -> dict[str, Any]:
        """The flows nearest to a group's strongest, by the cosine of their embeddings."""
        with self._lock:
            groups, vectors = self._groups(group)
            place = next((i for i, row in enumerate(groups) if row["id"] == group), None)
            if place is None:
                raise HTTPException(404, "no such group, or its alert does not carry its flow")
            axes = self._need_axes(vectors)
            near = np.concatenate([self._reference, vectors]) @ vectors[place]
            benign = len(self._reference)
            near[benign + place] = -np.inf
            order = np.argsort(-near, kind="stable")[: min(NEAREST, len(near) - 1)]
            found = [self._told(int(i) - benign, float(near[i]), groups) for i in order]
            return {
                "place": _places(axes(vectors[place][None]))[0],
                "near": found,
                "benign": sum(each["group"] is None for each in found),
                "has_reference": benign > 0,
            }

    def _told(self, i: int, similarity: float, groups: Sequence[Any]) -> dict[str, Any]:
        group = None if i < 0 else self._queries.shown([groups[i]])[0]
        return {"similarity": round(similarity, 4), "group": group}

    def _groups(self, wanted: int | None = None) -> tuple[list[Any], Float[np.ndarray, "n e"]]:
        """The latest groups whose strongest alert carries its flow, and its unit embedding."""
        detector = self._need_detector()
        rows = self._store.reading.execute(
            "SELECT * FROM groups ORDER BY last DESC, id DESC LIMIT ?", [GROUPS]
        ).fetchall()
        if wanted is not None and all(row["id"] != wanted for row in rows):
            rows += self._store.reading.execute("SELECT * FROM groups WHERE id = ?", [wanted])
        new = [row["strongest"] for row in rows if row["strongest"] not in self._known]
        flows = {i: inputs for i in new if (inputs := self._inputs(i))}
        if len(self._known) > 5 * GROUPS:
            self._known.clear()
            return self._groups(wanted)
        if flows:
            table = _table(detector, list(flows.values()))
            self._known |= dict(zip(flows, _embedded(detector, table), strict=True))
        kept = [row for row in rows if row["strongest"] in self._known]
        width = self._reference.shape[1]
        vectors = [self._known[row["strongest"]] for row in kept]
        return kept, np.stack(vectors) if vectors else np.empty((0, width))

    def _inputs(self, alert: int) -> dict[str, Any] | None:
        record = self._store.reading.execute("SELECT record FROM alerts WHERE id = ?", [alert])
        return json.loads(record.fetchone()[0])["contraview"].get("inputs")

    def _need_detector(self) -> Detector:
        if self._watch is None or self._detector is None or self._watch.changed():
            self._watch = ModelWatch(self._folder)
            self._detector = load_detector(self._folder)
            self._reference = self._benign_vectors(self._detector)
            self._axes, self._known = None, {}
        return self._detector

    def _need_axes(self, vectors: Float[np.ndarray, "n e"]) -> Axes:
        """The axes of the benign flows, or where there are none those of the alerts there are."""
        if len(self._reference) > 2:
            self._axes = self._axes or Axes.of(self._reference)
            return self._axes
        return Axes.of(vectors)

    def _benign_vectors(self, detector: Detector) -> Float[np.ndarray, "n e"]:
        drawn = numpy_generator(0, "served map")
        if self._benign is not None:
            flows = detector.read(self._benign)
            rows = np.sort(drawn.permutation(len(flows))[:REFERENCE])
            return _embedded(detector, detector.clan.matrix(flows.take(rows)).numpy())
        none = np.empty((0, detector.width), np.float32)
        matrix = none if detector.reserve is None else detector.reserve
        rows = np.sort(drawn.permutation(len(matrix))[:REFERENCE])
        return _embedded(detector, matrix[rows])


def map_api(alert_map: AlertMap) -> APIRouter:
    """The map and neighbours."""
    api = APIRouter(prefix="/api", tags=["map"])

    @api.get("/map")
    def points() -> dict[str, Any]:
        """Places on two principal axes of the embeddings: benign flows, and the latest groups."""
        return alert_map.points()

    @api.get("/groups/{number}/neighbours")
    def neighbours(number: int) -> dict[str, Any]:
        """What is nearest to the group's strongest flow; a `group` of null is a benign flow."""
        return alert_map.neighbours(number)

    return api


def _embedded(detector: Detector, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n e"]:
    return unit(detector.clan.embed_rows(torch.from_numpy(np.ascontiguousarray(matrix))))


def _table(detector: Detector, flows: Sequence[dict[str, Any]]) -> Float[np.ndarray, "n d"]:
    """The columns that alerts carry, standardised."""
    features = detector.clan.features
    numbers = {
        column: pl.Series([_number(flow.get(column)) for flow in flows], dtype=pl.Float64)
        for column in features.numeric
    }
    names = {
        column: pl.Series([_text(flow.get(column)) for flow in flows], dtype=pl.String)
        for column in features.categories
    }
    return features.transform(pl.DataFrame(numbers | names))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _places(places: Float[np.ndarray, "n 2"]) -> list[list[float]]:
    return np.round(places.astype(np.float64), 4).tolist()
