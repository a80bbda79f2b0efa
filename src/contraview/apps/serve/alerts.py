"""`contraview serve MODEL --watch SOURCE`: a watcher, its log, the store, and their page."""

import json
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter

from contraview.apps.detection.model import load_detector
from contraview.apps.serve.alert_map import AlertMap, map_api
from contraview.apps.serve.alerts_api import alerts_api
from contraview.apps.serve.drifting import Drifting, drift_api
from contraview.apps.serve.intake import Intake
from contraview.apps.serve.labelled import Labelled
from contraview.apps.serve.queries import Queries
from contraview.apps.serve.quieted import Quieted
from contraview.apps.serve.scoring import Scoring, scoring_api
from contraview.apps.serve.service import (
    application,
    listen,
    read_token,
    run,
    say_where,
)
from contraview.apps.serve.store import Store
from contraview.apps.serve.taught_api import taught_api
from contraview.apps.serve.teaching import Teaching
from contraview.apps.serve.watching import Watching
from contraview.core.errors import ContraviewError, InputError
from contraview.core.model_folder import DESCRIPTION
from contraview.core.plain_text import plain

LOG: Final = "alerts.jsonl"
COUNTERS: Final = "counters.json"
STATE: Final = "state.sqlite"
LOOK_SECONDS: Final = 0.5
"""Between two looks at the watcher's log."""


@dataclass(frozen=True)
class Settings:
    """What `contraview serve` was told.

    Attributes:
        model: the model folder.
        source: what to watch.
        out: the folder for the log, its cursor and the state.
        host: the address to listen on.
        port: 0 takes a free one.
        token_file: holds what requests must bring.
        redact: show hosts by number.
        max_fpr: the false-alarm rate, where not the model's own.
        benign: benign flows for the map; see `AlertMap`.
    """

    model: Path
    source: str
    out: Path
    host: str = "127.0.0.1"
    port: int = 0
    token_file: Path | None = None
    redact: bool = False
    max_fpr: float | None = None
    benign: Path | None = None


class Alerts:
    """All that goes on beside the requests: the watcher's process, and the intake of its log.

    Args:
        settings: what to watch, and where to keep what.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.out.mkdir(parents=True, exist_ok=True)
        self.store = Store(settings.out / STATE)
        self.queries = Queries(self.store, redact=settings.redact)
        self.quieted = Quieted(self.store, self.queries, settings.model)
        self.labelled = Labelled(self.store, self.queries, settings.model)
        self.map = AlertMap(self.store, self.queries, settings.model, settings.benign)
        self.intake = Intake(self.store, settings.out / LOG, self.quieted.rule_of)
        self._watching: Watching | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._take_in, name="intake", daemon=True)
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin to watch and to take in.

        Raises:
            InputError: the watcher refuses model or source.
        """
        rate = [] if self.settings.max_fpr is None else ["--max-fpr", str(self.settings.max_fpr)]
        out = self.settings.out
        self._watching = Watching(
            [
                *("detect", str(self.settings.model), self.settings.source, "--follow"),
                *("--out", str(out / LOG), "--counters", str(out / COUNTERS), *rate),
            ]
        )
        self._watching.start()
        self._thread.start()

    def stop(self) -> None:
        """Let the watcher finish, take in the rest, close."""
        if self._watching is not None:
            self._watching.stop()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.intake.close()
        self.store.close()

    def about(self) -> dict[str, Any]:
        """What is watched, how it goes, how much there is."""
        watching = self._watching
        return {
            "mode": "alerts",
            "model": self.settings.model.name,
            "source": plain(self.settings.source),
            "redact": self.settings.redact,
            "watcher": "stopped" if watching is None else watching.state,
            "said": plain(watching.said[-1]) if watching and watching.said else None,
            "counters": self.counters(),
            **self.queries.totals(),
        }

    def counters(self) -> dict[str, Any]:
        """The watcher's counters; empty until it has written them."""
        with suppress(OSError, ValueError):
            return json.loads((self.settings.out / COUNTERS).read_text())
        return {}

    def routers(self) -> list[APIRouter]:
        """The parts of the API."""
        return [
            alerts_api(self.queries),
            map_api(self.map),
            scoring_api(
                Scoring(
                    lambda: load_detector(self.settings.model),
                    lambda: (self.settings.model / DESCRIPTION).stat().st_mtime_ns,
                    max_fpr=self.settings.max_fpr,
                )
            ),
            drift_api(Drifting(self.settings.model, self.settings.source, self.settings.max_fpr)),
            taught_api(
                self.quieted,
                self.labelled,
                Teaching(self.settings.model, self.renew),
                self.held_back,
            ),
        ]

    def renew(self) -> None:
        """Let the watcher go on with the model as it is now."""
        if self._watching is not None:
            self._watching.renew()

    def held_back(self) -> dict[str, int]:
        """How many alerts the watcher held back by each suppression rule."""
        return self.counters().get("suppressed_by", {})

    def healthy(self) -> str | None:
        """What is wrong, if anything."""
        watching = self._watching
        if self._trouble is not None:
            return self._trouble
        if watching is None or watching.state == "waiting":
            said = watching.said[-1] if watching and watching.said else "no word"
            return f"the watcher failed, and is begun again: {plain(said)}"
        return None

    def metrics(self) -> Iterable[tuple[str, str, int | float]]:
        """For Prometheus."""
        totals, counters, watching = self.queries.totals(), self.counters(), self._watching
        yield "contraview_groups", "Groups of alerts", totals["groups"]
        yield "contraview_groups_open", "Groups neither labelled nor suppressed", totals["open"]
        yield "contraview_alerts_total", "Alerts taken in", totals["alerts"]
        yield "contraview_log_malformed_total", "Log lines not read", self.intake.malformed
        yield "contraview_watcher_up", "Whether it runs", float(self.healthy() is None)
        yield (
            "contraview_watcher_restarts_total",
            "Times the watcher was begun again",
            float(watching.restarts if watching else 0),
        )
        for name in ("received", "malformed", "dropped", "late", "flows"):
            if name in counters:
                yield f"contraview_{name}_total", f"Watcher: {name}", counters[name]
        if "queued" in counters:
            yield "contraview_queued", "Watcher: waits to be read", counters["queued"]

    def _take_in(self) -> None:
        while True:
            last = self._stopping.is_set()  # before the look: what was written by then is taken
            try:
                self.quieted.sync()
                self.labelled.sync()
                self.intake.take()
                self._trouble = None
            except Exception as error:  # noqa: BLE001 told on the page, tried again
                self._trouble = f"alerts cannot be taken in: {plain(str(error))}"
            if last:
                return
            self._stopping.wait(LOOK_SECONDS)


def serve(settings: Settings) -> None:
    """Watch and serve until told to stop.

    Raises:
        InputError: something in the settings is wrong; nothing was begun.
    """
    token = read_token(settings.host, settings.token_file)
    listening = listen(settings.host, settings.port)
    try:
        alerts = Alerts(settings)
    except (OSError, ContraviewError) as error:
        listening.close()
        raise (
            error
            if isinstance(error, ContraviewError)
            else InputError(f"{settings.out}: cannot be written: {error.strerror}")
        ) from None
    try:
        alerts.start()
        guard = application(
            alerts.about,
            alerts.routers(),
            metrics=alerts.metrics,
            healthy=alerts.healthy,
            host=settings.host,
            token=token,
        )
        say_where(listening, settings.host)
        run(guard, listening)
    finally:
        listening.close()
        alerts.stop()
    sys.stderr.write("stopped; what was in hand is written\n")
