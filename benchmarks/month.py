"""A month of logs through the directory watcher: generated, rotated, with kills and restarts.

    python -m benchmarks.month [--days 30] [--flows-a-day 1000000] [--out FILE]

Every hour Zeek's conn.log is written in four parts and then rotated and packed, as zeekctl does;
the watcher reads in between. Every few hours it is killed between two writes (of alerts, or of the
cursor) and started again, sometimes not before the log was rotated. Time is simulated; packets,
alerts, files, syncs and renames are real. Checked at the end: every flow was judged, no alert is
there twice, and in one hour of twelve the alerts are those of the finished log, by their ids.
"""

import argparse
import gzip
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contraview.apps.detection.alerts import write_alerts
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.watch.journal import Journal
from contraview.apps.detection.watch.opening import open_source
from contraview.apps.detection.watch.watcher import Watcher
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.modalities.flows.data import read_flows
from contraview.modalities.flows.live.source import Place
from lab import conn_logs

HOURS, PARTS = 24, 4


class KilledError(Exception):
    """The process ends here."""


class MortalJournal(Journal):
    """A journal whose process is killed before or after a write, when told to."""

    def __init__(self, path: Path, *, source: str, dies: Callable[[], bool]) -> None:
        super().__init__(path, source=source, model="month")
        self._dies = dies

    def _write(self, content: bytes) -> None:
        if self._dies():
            super()._write(content[: len(content) // 2])
            raise KilledError
        super()._write(content)
        if self._dies():
            raise KilledError

    def commit(self, place: Place, counters: dict[str, Any]) -> None:
        """Move the cursor, or die before it."""
        if self._dies():
            raise KilledError
        super().commit(place, counters)


class Simulated:
    """A clock of its own; it gives the watcher back when nothing has come for a while."""

    def __init__(self) -> None:
        self.now, self.waits = conn_logs.BEGIN, 0

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now

    def elapsed(self) -> float:
        """The same."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.now += seconds
        self.waits += 1


class Month:
    """The sensor, the watcher and what is known of both."""

    def __init__(self, detector: Detector, folder: Path, flows_a_day: int, seed: int) -> None:
        self.detector, self.folder, self.seed = detector, folder, seed
        self.rows = max(flows_a_day // HOURS, PARTS)
        self.log, self.out = folder / "conn.log", folder / "alerts.jsonl"
        self.clock, self.draw = Simulated(), numpy_generator(seed, "month")
        self.fuse = -1
        self.kills = self.flows = self.alerts = 0
        self.seen: set[str] = set()
        self.ids_read = 0
        self.watcher: Watcher | None = None
        self.compared = 0

    def hour(self, number: int, *, compare: bool) -> None:
        """Write an hour in parts, read in between, rotate."""
        table = conn_logs.records(
            self.rows,
            number,
            begin=conn_logs.BEGIN + number * 3600,
            odd=0.004,
            first=number * self.rows,
        )
        self.fuse = int(self.draw.integers(1, 9)) if self.draw.random() < 0.25 else -1
        down = self.draw.random() < 0.1
        self.log.write_text(conn_logs.head(opened=f"hour-{number}"))
        for part in table.iter_slices(-(-self.rows // PARTS)):
            with self.log.open("a") as file:
                file.write(conn_logs.body(part))
            if not down:
                self.watch()
        if compare:
            self.watch()
            self._compare()
        self._rotate(number)
        self.clock.now = max(self.clock.now, conn_logs.BEGIN + (number + 1) * 3600)

    def watch(self) -> None:
        """Let the watcher read all there is; start it again where it is killed."""
        while True:
            if self.watcher is None:
                self.watcher = self._start()
            try:
                self.clock.waits = 0
                while self.clock.waits < 3:
                    self.watcher.step()
            except KilledError:
                self.kills += 1
                self._stop()
                continue
            return

    def _start(self) -> Watcher:
        name = str(self.folder)
        source = open_source(name, self.detector, clock=self.clock)
        log = MortalJournal(self.out, source=source.name, dies=self._dies)
        if log.place is not None:
            source.close()
            source = open_source(name, self.detector, clock=self.clock, saved=log.place)
        watcher = Watcher(self.detector, source, log, form="eve", clock=self.clock)
        watcher.counters.go_on_from(log.counters)
        return watcher

    def _dies(self) -> bool:
        self.fuse -= 1
        return self.fuse == 0

    def _stop(self) -> None:
        assert self.watcher is not None
        self.watcher._source.close()
        self.watcher._log.close()
        self.watcher = None

    def _rotate(self, number: int) -> None:
        packed = self.folder / f"conn.{number:06}.log.gz"
        with self.log.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as file:
            shutil.copyfileobj(plain, file)
        self.log.unlink()
        for old in sorted(self.folder.glob("conn.*.log.gz"))[:-6]:
            old.unlink()

    def _compare(self) -> None:
        """The alerts of the finished hour are those that were written for it."""
        lines: list[str] = []
        for rows in detect(self.detector, self.detector.read(self.log)):
            alerts = rows.filter("alert")
            nothing: list[Any] = [[] for _ in range(alerts.height)]
            threshold = self.detector.threshold()
            write_alerts(lines.append, "eve", alerts, nothing, threshold=threshold)
        wanted = {json.loads(line)["contraview"]["id"] for line in lines}
        self.count()
        assert wanted <= self.seen, f"{len(wanted - self.seen)} alerts of an hour are lost"
        self.compared += len(wanted)

    def count(self) -> None:
        """Take in the alerts written since; none may be there twice."""
        with self.out.open("rb") as file:
            file.seek(self.ids_read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.ids_read += len(line)
                try:
                    own = json.loads(line)["contraview"]
                except ValueError:
                    continue  # a line that a kill has cut
                if "score" in own:
                    assert own["id"] not in self.seen, "an alert is there twice"
                    self.seen.add(own["id"])

    def finish(self) -> None:
        """Read what is left, and see that the sums agree."""
        self.fuse = -1
        self.log.write_text(conn_logs.head(opened="end"))
        self.watch()
        self.count()
        assert self.watcher is not None
        self.flows, self.alerts = self.watcher.counters.flows, self.watcher.counters.alerts
        self._stop()


def simulate(days: float, flows_a_day: int, *, seed: int = 0, light: bool = True) -> dict[str, Any]:
    """Run it; an AssertionError says what was lost or repeated."""
    with tempfile.TemporaryDirectory(prefix="contraview-month-") as name:
        folder = Path(name)
        benign = folder / "benign.log"
        benign.write_text(conn_logs.log(6_000, seed=10**6, odd=0.0))
        detector = Detector(light=light, max_fpr=0.001).fit(read_flows(benign), run=Run(seed=seed))
        benign.unlink()
        logs = folder / "logs"
        logs.mkdir()
        (logs / "conn.log").write_text(conn_logs.head())
        month = Month(detector, logs, flows_a_day, seed)
        hours, memory = max(round(days * HOURS), 1), []
        begin, cpu = time.perf_counter(), time.process_time()
        for number in range(hours):
            month.hour(number, compare=number % 12 == min(12, hours) - 1)
            memory.append(_resident())
        month.finish()
        written = hours * month.rows
        assert month.flows == written, f"{month.flows} flows judged, {written} written"
        assert month.alerts == len(month.seen), f"{month.alerts} counted, {len(month.seen)} there"
        parts = np.array_split(np.array(memory), 10)
        early, late = np.array_split(np.array(memory), 2)
        return {
            "days": days,
            "flows": written,
            "alerts": len(month.seen),
            "alerts_compared_by_id": month.compared,
            "kills": month.kills,
            "lost": 0,
            "repeated": 0,
            "resident_mb": {
                "first_half": round(float(early.max())),
                "second_half": round(float(late.max() if late.size else early.max())),
                "by_tenth": [round(float(part.max())) for part in parts if part.size],
                "peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            },
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "seconds": round(time.perf_counter() - begin, 1),
            "alert_log_mb": round(month.out.stat().st_size / 1e6, 1),
        }


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--flows-a-day", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    options = parser.parse_args()
    text = json.dumps(simulate(options.days, options.flows_a_day, seed=options.seed), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
