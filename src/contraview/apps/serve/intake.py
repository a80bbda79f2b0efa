"""From the watcher's log into the store: each alert once, in the group it belongs to.

The log is what counts: it is append-only and synced before the watcher's cursor moves. How far it
has been taken in is kept in the same transaction as what was taken in, and an alert is known by
its id, so nothing is lost and nothing is twice, whichever process ends when.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from contraview.apps.detection.grouping import COUNTED, LONGEST, QUIET
from contraview.apps.detection.reasons import aspect
from contraview.apps.serve.store import Store, changed, keep

LINES: Final = 2_000
"""Lines taken in by one transaction."""
COUNT: Final = {
    "destination": "UPDATE groups SET destinations = destinations + 1 WHERE id = ? "
    "AND destinations < ? AND NOT EXISTS "
    "(SELECT 1 FROM members WHERE in_group = ? AND sort = ? AND value = ?)",
    "port": "UPDATE groups SET ports = ports + 1 WHERE id = ? AND ports < ? AND NOT EXISTS "
    "(SELECT 1 FROM members WHERE in_group = ? AND sort = ? AND value = ?)",
}
QUIET_SECONDS: Final = QUIET.total_seconds()
LONGEST_SECONDS: Final = LONGEST.total_seconds()


@dataclass(slots=True)
class _Open:
    """A group that may still grow."""

    id: int
    first: float
    last: float
    score: float


class Intake:
    """Takes a growing log of EVE records into a store.

    Args:
        store: where to.
        log: the watcher's log; need not be there yet.
        rule_of: says of a record by which rule it is suppressed, if by any.
    """

    def __init__(
        self,
        store: Store,
        log: Path,
        rule_of: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> None:
        self._store, self._log, self._rule_of = store, log, rule_of
        self._file: IO[bytes] | None = None
        self._open: dict[tuple[int | None, str, str], _Open] = {}
        self._hosts: dict[str, int] = {}
        self.malformed = 0

    def take(self) -> int:
        """Take in the whole lines that are there; gives back how many records were new."""
        new = 0
        while True:
            if self._file is None and not self._begin():
                return new
            lines = self._lines()
            if lines:
                new += self._put(lines)
            elif not self._rotated():
                return new

    def close(self) -> None:
        """Close the log."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> bool:
        with suppress(FileNotFoundError):
            self._file = self._log.open("rb")
            there = os.fstat(self._file.fileno())
            at = json.loads(self._store.fact("log") or "[0, 0]")
            if at[0] == there.st_ino and at[1] <= there.st_size:
                self._file.seek(at[1])
            return True
        return False

    def _lines(self) -> list[bytes]:
        """The next whole lines; the place in the file is then behind the last of them."""
        assert self._file is not None
        lines: list[bytes] = []
        at = self._file.tell()
        for line in self._file:
            if not line.endswith(b"\n") or len(lines) == LINES:
                break
            lines.append(line)
            at += len(line)
        self._file.seek(at)
        return lines

    def _rotated(self) -> bool:
        """Whether the log is another file now; this one has then been read to its end."""
        assert self._file is not None
        with suppress(FileNotFoundError):
            if self._log.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
                self.close()
                return True
        return False

    def _put(self, lines: list[bytes]) -> int:
        assert self._file is not None
        new = 0
        place = [os.fstat(self._file.fileno()).st_ino, self._file.tell()]
        try:
            with self._store.writing() as db:
                for line in lines:
                    new += self._record(db, line)
                keep(db, "log", json.dumps(place))
                if new:
                    changed(db)
        except BaseException:
            # What was remembered of groups and hosts may not be in the store now.
            self._open.clear()
            self._hosts.clear()
            self.close()
            raise
        return new

    def _record(self, db: sqlite3.Connection, line: bytes) -> int:
        try:
            record = json.loads(line)
            own = record["contraview"]
            if record.get("event_type") != "alert":
                return 0
            put = self._health if "health" in own else self._alert
            return put(db, record, own)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.malformed += 1
            return 0

    def _health(self, db: sqlite3.Connection, record: dict[str, Any], own: dict[str, Any]) -> int:
        values = (own["id"], _seconds(record["timestamp"]), own["health"], own["message"])
        return db.execute(
            "INSERT OR IGNORE INTO health(identity, time, sort, message) VALUES (?, ?, ?, ?)",
            values,
        ).rowcount

    def _alert(self, db: sqlite3.Connection, record: dict[str, Any], own: dict[str, Any]) -> int:
        if db.execute("SELECT 1 FROM alerts WHERE identity = ?", [own["id"]]).fetchone():
            return 0
        last = _seconds(record.get("timestamp"))
        start = record.get("flow", {}).get("start")
        first = min(_seconds(start), last) if start else last
        src = self._host(db, record.get("src_ip") or own.get("source"))
        dst = self._host(db, record.get("dest_ip") or own.get("destination"))
        score, severity = float(own["score"]), int(record["alert"]["severity"])
        by = self._rule_of(record)
        reasons = own.get("reasons") or [{"column": ""}]
        about = own.get("rule") or aspect(reasons[0]["column"])
        key = src, str(record.get("proto") or ""), about
        port = record.get("dest_port")
        group = self._group(db, key, first, last)
        alert = db.execute(
            "INSERT INTO alerts(identity, in_group, src, src_port, dst, dst_port, time, score, "
            "severity, suppressed, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(own["id"], 0 if group is None else group.id),
                *(src, record.get("src_port"), dst, port, last, score, severity, by),
                json.dumps(record, separators=(",", ":")),
            ),
        ).lastrowid
        assert alert is not None
        if group is None:
            group = self._new_group(db, key, first, last, (dst, port, score, severity, alert, by))
            rule = bool(own.get("rule"))
            db.execute("UPDATE alerts SET in_group = ? WHERE id = ?", [group.id, alert])
            db.execute("UPDATE groups SET is_rule = ? WHERE id = ?", [rule, group.id])
        else:
            self._join(db, group, first, last, (dst, port, score, severity, alert, by))
        self._count(db, group.id, "destination", dst)
        self._count(db, group.id, "port", port)
        return 1

    def _group(
        self, db: sqlite3.Connection, key: tuple[int | None, str, str], first: float, last: float
    ) -> _Open | None:
        """The group that an alert joins: by the rule of `detection.grouping.Groups`."""
        found = self._open.get(key)
        if found is None:
            row = db.execute(
                "SELECT id, first, last, score FROM groups WHERE src IS ? AND proto = ? "
                "AND about = ? ORDER BY last DESC LIMIT 1",
                key,
            ).fetchone()
            found = None if row is None else _Open(*row)
        if found is None:
            return None
        if last - found.last > QUIET_SECONDS or last - found.first > LONGEST_SECONDS:
            return None
        if found.first - first > LONGEST_SECONDS:
            return None
        self._open[key] = found
        return found

    def _new_group(
        self,
        db: sqlite3.Connection,
        key: tuple[int | None, str, str],
        first: float,
        last: float,
        alert: tuple[Any, ...],
    ) -> _Open:
        dst, port, score, severity, strongest, by = alert
        made = db.execute(
            "INSERT INTO groups(src, proto, about, is_rule, dst, port, first, last, flows, "
            "destinations, ports, score, severity, strongest, suppressed) "
            "VALUES (?, ?, ?, 0, ?, ?, ?, ?, 1, 0, 0, ?, ?, ?, ?)",
            (*key, dst, port, first, last, score, severity, strongest, by),
        ).lastrowid
        assert made is not None
        group = _Open(made, first, last, score)
        if len(self._open) > 10_000:
            self._open.clear()  # they are found again in the store
        self._open[key] = group
        return group

    def _join(
        self,
        db: sqlite3.Connection,
        group: _Open,
        first: float,
        last: float,
        alert: tuple[Any, ...],
    ) -> None:
        """One more alert in a group; a group is suppressed while all of its alerts are."""
        dst, port, score, severity, strongest, by = alert
        group.first, group.last = min(group.first, first), max(group.last, last)
        db.execute(
            "UPDATE groups SET flows = flows + 1, first = ?, last = ?, "
            "severity = min(severity, ?), suppressed = CASE WHEN ? IS NULL THEN NULL "
            "ELSE suppressed END WHERE id = ?",
            [group.first, group.last, severity, by, group.id],
        )
        if score > group.score:
            group.score = score
            db.execute(
                "UPDATE groups SET score = ?, strongest = ?, dst = ?, port = ? WHERE id = ?",
                [score, strongest, dst, port, group.id],
            )

    def _count(self, db: sqlite3.Connection, group: int, sort: str, value: int | None) -> None:
        """Count a destination or a port of a group, once, and no more than `COUNTED` of them."""
        if value is None:
            return
        member = (group, sort, value)
        if db.execute(COUNT[sort], (group, COUNTED, *member)).rowcount:
            db.execute("INSERT INTO members VALUES (?, ?, ?)", member)

    def _host(self, db: sqlite3.Connection, address: Any) -> int | None:
        if address is None:
            return None
        address = str(address)
        found = self._hosts.get(address)
        if found is None:
            db.execute("INSERT OR IGNORE INTO hosts(address) VALUES (?)", [address])
            found = db.execute("SELECT id FROM hosts WHERE address = ?", [address]).fetchone()[0]
            if len(self._hosts) > 100_000:
                self._hosts.clear()
            self._hosts[address] = found
        return found


def _seconds(moment: Any) -> float:
    """Seconds since 1970; of an alert without a time, now."""
    if moment is None:
        return time.time()
    return datetime.fromisoformat(moment).timestamp()
