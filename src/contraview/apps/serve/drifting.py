"""Drift of what is watched, for the page: measured in the background, since it reads everything."""

import threading
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from contraview.apps.detection.living.drift import By, measure
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.watch.opening import LOGS, grows
from contraview.core.errors import ContraviewError, InputError
from contraview.core.plain_text import plain


class Drifting:
    """Measures drift of a source that can be read whole, one at a time.

    Args:
        folder: the model's.
        source: what is watched.
        max_fpr: the false-alarm rate, where not the model's own.
    """

    def __init__(self, folder: Path, source: str, max_fpr: float | None) -> None:
        self._folder, self._source, self._max_fpr = folder, source, max_fpr
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: dict[str, Any] = {"state": "none"}

    def begin(self, by: By) -> dict[str, Any]:
        """Measure anew, unless that is going on already.

        Raises:
            InputError: the source cannot be read whole.
        """
        source = self._whole()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._found = {"state": "measuring"}
                self._thread = threading.Thread(
                    target=self._measure, args=(source, by), name="drift", daemon=True
                )
                self._thread.start()
        return self._found

    def found(self) -> dict[str, Any]:
        """What was measured last."""
        return self._found

    def _measure(self, source: str, by: By) -> None:
        try:
            detector = load_detector(self._folder)
            drift = measure(detector, detector.read(source), by=by, max_fpr=self._max_fpr)
            self._found = {"state": "measured", "of": plain(source), "drift": drift.as_json()}
        except ContraviewError as error:
            self._found = {"state": "failed", "detail": plain(str(error), 1_000)}
        except Exception as error:  # noqa: BLE001 told on the page
            self._found = {"state": "failed", "detail": plain(f"{type(error).__name__}: {error}")}

    def _whole(self) -> str:
        if grows((self._source,)):
            raise InputError("what is watched cannot be read again; `contraview drift` takes files")
        path = Path(self._source)
        if path.is_dir():
            found = next((path / log for log in LOGS if (path / log).is_file()), None)
            return self._source if found is None else str(found)
        return self._source


def drift_api(drifting: Drifting) -> APIRouter:
    """Drift."""
    api = APIRouter(prefix="/api", tags=["drift"])

    @api.get("/drift")
    def found() -> dict[str, Any]:
        """What was measured last: `state` is none, measuring, measured or failed."""
        return drifting.found()

    @api.post("/drift", status_code=202)
    def begin(by: By = "day") -> dict[str, Any]:
        """Measure what is watched against what the model learnt, by hour, day or week."""
        return drifting.begin(by)

    return api
