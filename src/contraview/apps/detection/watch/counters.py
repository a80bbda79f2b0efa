"""What a watcher has seen and done, for people and for other programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contraview.core.errors import ContraviewError
from contraview.core.whole_file import write_json


@dataclass
class Counters:
    """Totals since the watcher began (restarts that go on from a cursor add to them).

    Attributes:
        received: records or packets read.
        malformed: those that could not be understood; left out.
        dropped: those lost before they could be read.
        late: flows more than ten minutes behind those before them.
        flows: flows judged.
        alerts: alerts written, by this process or found written by the one before.
        suppressed: alerts that a suppression rule held back, ``suppressed_by`` for each rule.
        calmed: flows that are no alerts since they are like those that people called benign.
        health: health alerts written.
        queued: what waits to be read now, in ``unit``.
        last_record: time of the latest flow, by the source's clock.
    """

    received: int = 0
    malformed: int = 0
    dropped: int = 0
    late: int = 0
    flows: int = 0
    alerts: int = 0
    suppressed: int = 0
    suppressed_by: dict[str, int] = field(default_factory=dict)
    calmed: int = 0
    health: int = 0
    queued: int = 0
    unit: str = "bytes"
    last_record: datetime | None = None
    last_alert: str | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """The counters as JSON holds them; times in UTC."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        last = self.last_record
        return values | {"last_record": None if last is None else utc(last.timestamp())}

    def go_on_from(self, saved: dict[str, Any]) -> None:
        """Take up the totals of the watcher before."""
        for name in (
            "received",
            "malformed",
            "dropped",
            "late",
            "flows",
            "alerts",
            "calmed",
            "health",
        ):
            setattr(self, name, int(saved.get(name, 0)))
        self.suppressed_by = {k: int(n) for k, n in saved.get("suppressed_by", {}).items()}
        self.suppressed = sum(self.suppressed_by.values())

    def suppress(self, hits: Mapping[str, int]) -> None:
        """Count what rules held back."""
        self.suppressed += sum(hits.values())
        for rule, count in hits.items():
            self.suppressed_by[rule] = self.suppressed_by.get(rule, 0) + count

    def line(self) -> str:
        """The counters as one line."""
        last = "none yet" if self.last_record is None else utc(self.last_record.timestamp())
        return (
            f"{self.flows:,} flows, {self.alerts:,} alerts, {self.suppressed:,} suppressed, "
            f"{self.calmed:,} calmed, {self.health:,} health; "
            f"received {self.received:,}, malformed {self.malformed:,}, dropped {self.dropped:,}, "
            f"late {self.late:,}, queued {self.queued:,} {self.unit}; last record {last}"
        )


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def export(path: Path, **content: Any) -> None:
    """Write a counters file, whole or not at all."""
    try:
        write_json(path, content)
    except OSError as error:
        raise ContraviewError(f"{path}: cannot be written: {error.strerror or error}") from None
