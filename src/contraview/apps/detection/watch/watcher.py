"""The one loop behind every source that grows: read, judge, write, move the cursor."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from contraview.apps.detection.alerts import write_alerts
from contraview.apps.detection.conversation import latest
from contraview.apps.detection.detection import Judge
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.grouping import Groups
from contraview.apps.detection.reasons import Reason, explain
from contraview.apps.detection.watch.counters import Counters, export, utc
from contraview.apps.detection.watch.health import (
    REPEAT,
    ClockWatch,
    ModelWatch,
    Pace,
    RulesWatch,
)
from contraview.apps.detection.watch.journal import AlertLog
from contraview.apps.detection.watch.notices import Form, health_line, heartbeat_line
from contraview.core.allocator import give_back_freed_memory
from contraview.core.plain_text import plain
from contraview.modalities.flows.kinds.known import kind_named
from contraview.modalities.flows.live.source import Batch, Clock, Place, Source
from contraview.modalities.flows.live.typed import record_time

LOOK: Final = 10.0
"""Seconds between looks at the model folder, the pace, the counters file and freed memory."""
COMMIT: Final = 1.0
"""Seconds between two moves of the cursor while there is much to do."""
ROWS: Final = 65_536
"""Flows judged together."""


class Watcher:
    """Judges the flows of a source as they come.

    Args:
        detector: what judges.
        source: where flows come from.
        log: where alerts go.
        form: how they are written.
        clock: the time of day; tests bring their own.
        max_fpr: the false-alarm rate, where not the model's own.
        model: the model folder, to notice that it changes.
        rules: what suppresses alerts; unset tells all.
        heartbeat: seconds between two heartbeats.
        groups: what joins alerts; unset tells each of them.
        saved: the place of a cursor, for what was on its way when the process before ended.
        counters: a file for the counters, replaced as a whole at every look.
        say: takes a line for a person to read.
        show: takes the counters as one line, every second or so; for a terminal.
    """

    def __init__(
        self,
        detector: Detector,
        source: Source,
        log: AlertLog,
        *,
        form: Form,
        clock: Clock,
        max_fpr: float | None = None,
        model: ModelWatch | None = None,
        rules: RulesWatch | None = None,
        heartbeat: float = 3_600.0,
        groups: Groups | None = None,
        saved: Place | None = None,
        counters: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
        show: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.counters = Counters()
        self._detector, self._source, self._log = detector, source, log
        self._form: Form = form
        self._judge = Judge(detector, max_fpr=max_fpr)
        self._kind = kind_named(source.kind)
        self._clock, self._heartbeat, self._file = clock, heartbeat, counters
        self._say, self._show = say, show
        self._model, self._times, self._pace = model, ClockWatch(), Pace()
        self._reported: dict[tuple[str, str], float] = {}
        self._begun = clock.elapsed()
        self._beaten, self._looked = self._begun, self._begun
        self._committed = -COMMIT
        self._since = Counters()
        self._stopping = self._dirty = False
        self._groups, self._rules = groups, rules
        self._due: list[str] = []
        self._again = False
        if saved is not None:
            self._take_up(saved)

    def stop(self) -> None:
        """Finish what is in hand, then end; may be called from a signal handler."""
        self._stopping = True

    def run(self) -> Counters:
        """Go on until the source ends or `stop` is called."""
        try:
            while not self._stopping and self.step():
                pass
            self._tell_again()
            self._judge_all(self._source.rest())
            if self._groups is not None:
                self._end(*self._groups.finish())
            self._tell()
            self._commit(at_once=True)
            self._export()
        finally:
            self._source.close()
            self._log.close()
        return self.counters

    def step(self) -> bool:
        """One reading of the source; False at its end."""
        self._tell_again()
        batch = self._source.read(self._patience())
        if batch is None:
            return False
        self._count(batch)
        for trouble in batch.troubles:
            self._report(trouble.sort, trouble.text)
        self._judge_all(batch)
        if self._groups is not None:
            self._end(*self._groups.elapse(self._clock.elapsed()))
        self._tell()
        idle = not batch.received
        if idle and not batch.queued:
            self._log.settle()
        if batch.received or batch.rows is not None:
            self._dirty = True
        self._commit(at_once=idle)
        self._look()
        return True

    def _judge_all(self, batch: Batch) -> None:
        if batch.rows is not None:
            for part in batch.rows.iter_slices(ROWS):
                self._take(part)

    def _patience(self) -> float:
        """How long the source may wait: never beyond the next look or heartbeat."""
        now = self._clock.elapsed()
        due = min(self._looked + LOOK, self._beaten + self._heartbeat) - now
        return min(max(due, 0.0), 1.0)

    def _count(self, batch: Batch) -> None:
        counted = self.counters
        counted.received += batch.received
        counted.malformed += batch.malformed
        counted.dropped += batch.dropped
        counted.queued, counted.unit = batch.queued, batch.unit
        if batch.dropped:
            self._report("drops", f"{self._source.name}: {batch.dropped:,} lost before being read")

    def _take(self, rows: pl.DataFrame) -> None:
        times = record_time(rows, self._kind)
        if times is not None:
            now = datetime.fromtimestamp(self._clock.time(), UTC)
            late, said = self._times.see(times, now)
            self.counters.late += late
            self.counters.last_record = self._times.latest
            if said:
                self._report("clock", f"{self._source.name}: {said}")
        judged = self._judge(rows)
        alerts = judged.filter("alert")
        self.counters.flows += judged.height
        self.counters.calmed, self._judge.calmed = self.counters.calmed + self._judge.calmed, 0
        reasons = explain(self._detector, alerts) if alerts.height else []
        alerts, reasons = self._told(alerts, reasons)
        if alerts.height:
            self.counters.alerts += alerts.height
            self.counters.last_alert = utc(self._clock.time())
        if self._groups is not None:
            at = self._clock.elapsed()
            self._end(*self._groups.add(alerts, reasons, latest(judged), at=at))
        elif alerts.height:
            self._log.append(self._lines(alerts, reasons))

    def _told(
        self, alerts: pl.DataFrame, reasons: list[list[Reason]]
    ) -> tuple[pl.DataFrame, list[list[Reason]]]:
        """Those alerts that no rule holds back."""
        if self._rules is None:
            return alerts, reasons
        if said := self._rules.look():
            self._report("rules", said)
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        alerts, reasons, hits = self._rules.rules.split(alerts, reasons, now)
        self.counters.suppress(hits)
        return alerts, reasons

    def _lines(self, alerts: pl.DataFrame, reasons: list[list[Reason]]) -> list[str]:
        lines: list[str] = []
        threshold, inputs = self._judge.threshold, self._detector.inputs
        write_alerts(lines.append, self._form, alerts, reasons, threshold=threshold, inputs=inputs)
        return lines

    def _end(self, groups: pl.DataFrame, reasons: list[list[Reason]]) -> None:
        """Groups that came to an end are told by `_tell`."""
        self._due += self._lines(groups, reasons)

    def _tell(self) -> None:
        """Write the groups that ended.

        Which flows a group holds depends on where the input was cut, so it is not derived again:
        the cursor has its line before the log has. After a crash between the two, or in the
        middle of the log's line, the line is written again, and the log leaves out what is there.
        """
        if self._due:
            self._log.commit(self._place(), self.counters.as_json())
            self._log.append(self._due)
            self._due, self._dirty = [], True

    def _tell_again(self) -> None:
        """Write the lines taken up from a cursor. It stands before them: it must not move yet."""
        if self._again:
            self._log.append(self._due)
            self._due, self._again, self._dirty = [], False, True

    def _place(self) -> Place:
        """Where the source stands, with the groups that are open or have just ended."""
        place = self._source.place()
        kept = {} if self._groups is None else self._groups.saved()
        if self._due:
            kept["due"] = np.frombuffer("".join(self._due).encode(), np.uint8)
        return Place(place.facts, place.arrays | kept) if kept else place

    def _take_up(self, saved: Place) -> None:
        """The groups of a process that did not come to tell them."""
        groups = self._groups or Groups()
        groups.restore(saved.arrays, at=self._clock.elapsed())
        if "due" in saved.arrays:
            self._due = saved.arrays["due"].tobytes().decode().splitlines(keepends=True)
        if self._groups is None:  # it told groups, this one does not
            self._end(*groups.finish())
        self._again = bool(self._due)

    def _report(self, sort: str, text: str) -> None:
        """Write a health alert, unless the same was told within the hour."""
        now = self._clock.elapsed()
        key = sort, text if sort in ("columns", "model", "gap", "clock") else ""
        if key in self._reported and now - self._reported[key] < REPEAT:
            return
        self._reported[key] = now
        at = self._clock.time()
        self._log.append([health_line(self._form, sort, text, source=self._source.name, at=at)])
        self.counters.health += 1
        self._say(f"{sort}: {plain(text)}")

    def _commit(self, *, at_once: bool) -> None:
        now = self._clock.elapsed()
        if self._dirty and (at_once or now - self._committed >= COMMIT):
            self._log.commit(self._place(), self.counters.as_json())
            self._committed, self._dirty = now, False

    def _look(self) -> None:
        now = self._clock.elapsed()
        self._show(self.counters.line())
        if now - self._looked >= LOOK:
            self._looked = now
            if self._model is not None and (said := self._model.changed()):
                self._report("model", said)
            if said := self._pace.look(self.counters.queued, self.counters.unit, now):
                self._report("behind", f"{self._source.name}: cannot keep up: {said}")
            self._export()
            give_back_freed_memory()
        if now - self._beaten >= self._heartbeat:
            self._beat(now)

    def _beat(self, now: float) -> None:
        was, self._since = self._since, replace(self.counters)
        counted = self.counters.as_json() | {
            "seconds": round(now - self._beaten, 3),
            "flows_since": self.counters.flows - was.flows,
            "alerts_since": self.counters.alerts - was.alerts,
            "suppressed_since": self.counters.suppressed - was.suppressed,
        }
        self._beaten = now
        at = self._clock.time()
        self._log.append([heartbeat_line(self._form, counted, source=self._source.name, at=at)])
        self._export()
        self._say(
            f"heartbeat: {counted['alerts_since']:,} alerts, {counted['flows_since']:,} flows; "
            + self.counters.line()
        )

    def _export(self) -> None:
        if self._file is not None:
            export(
                self._file,
                source=plain(self._source.name),
                at=utc(self._clock.time()),
                seconds=round(self._clock.elapsed() - self._begun, 3),
                **self.counters.as_json(),
            )
