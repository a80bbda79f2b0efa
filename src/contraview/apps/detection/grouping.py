"""Alerts of one source for one reason as one: a scan of a thousand flows is one alert."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
import polars as pl

from contraview.apps.detection.conversation import Conversation
from contraview.apps.detection.reasons import Reason, aspect

GROUP: Final = ("group_flows", "group_first", "group_last", "group_destinations", "group_ports")
"""The columns that `Groups` adds to the strongest alert of a group."""
COUNTED: Final = 1_024
"""Distinct destinations, and ports, that are counted; this number stands for it or more."""

QUIET: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(hours=1)


def of_group(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of its group: flows, first, last, destinations, ports."""
    return {name.removeprefix("group_"): row[name] for name in GROUP if name in row}


@dataclass(slots=True)
class _Group:
    row: dict[str, Any]
    why: list[Reason]
    first: datetime | None
    last: datetime | None
    flows: int = 0
    destinations: set[str] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    begun: float = 0.0
    heard: float = 0.0

    def add(self, row: dict[str, Any], why: list[Reason], ends: Conversation) -> None:
        if row["score"] > self.row["score"]:
            self.row, self.why = row, why
        self.flows += 1
        if ends.first is not None:
            self.first = min(self.first or ends.first, ends.first)
        if ends.last is not None:
            self.last = max(self.last or ends.last, ends.last)
        if ends.dst is not None and len(self.destinations) < COUNTED:
            self.destinations.add(ends.dst)
        if ends.dst_port is not None and len(self.ports) < COUNTED:
            self.ports.add(ends.dst_port)

    def facts(self) -> dict[str, Any]:
        """All but the row, as JSON holds it."""
        return {
            "why": [asdict(reason) for reason in self.why],
            "times": [None if at is None else at.isoformat() for at in (self.first, self.last)],
            "flows": self.flows,
            "destinations": sorted(self.destinations),
            "ports": sorted(self.ports),
        }

    @classmethod
    def of(cls, row: dict[str, Any], facts: Mapping[str, Any], at: float) -> "_Group":
        """What `facts` described, heard of last at ``at``."""
        first, last = (None if t is None else datetime.fromisoformat(t) for t in facts["times"])
        return cls(
            row,
            [Reason(**reason) for reason in facts["why"]],
            first,
            last,
            facts["flows"],
            set(facts["destinations"]),
            set(facts["ports"]),
            begun=at,
            heard=at,
        )

    def said(self) -> dict[str, Any]:
        values = (self.flows, self.first, self.last, len(self.destinations), len(self.ports))
        return self.row | dict(zip(GROUP, values, strict=True))


class Groups:
    """Joins alerts of one source, protocol and reason as they come, in bounded memory.

    The reason is the rule that is broken, else what the column with the largest effect is about.
    A group is given out, as its strongest alert with what is known of the others, once the
    source's clock has moved ``quiet`` on from its last flow, or ``longest`` from its first: what
    never pauses is told of again and again. Where flows have no times it is given out at the end,
    or by another clock: see `elapse`.

    Args:
        quiet: how long a source must be silent about a reason.
        longest: the longest that a group may go on.
        most: open groups kept; beyond, the one silent for longest is given out.
    """

    def __init__(
        self,
        *,
        quiet: timedelta = QUIET,
        longest: timedelta = LONGEST,
        most: int = 10_000,
    ) -> None:
        self._quiet, self._longest, self._most = quiet, longest, most
        self._open: dict[tuple[str | None, str | None, str], _Group] = {}
        self._schema: dict[str, Any] = {}

    def add(
        self,
        alerts: pl.DataFrame,
        reasons: Sequence[list[Reason]],
        now: datetime | None,
        *,
        at: float = 0.0,
    ) -> tuple[pl.DataFrame, list[list[Reason]]]:
        """Take alerts, in order; give out the groups that they, or ``now``, bring to an end.

        Args:
            alerts: rows that `detect` marked as alerts.
            reasons: for each row why it stands out.
            now: the time of the latest flow seen, alert or not; None where flows have none.
            at: seconds of the clock that `elapse` goes by.
        """
        known = {name: t for name, t in alerts.schema.items() if t != pl.Null}
        self._schema = dict(alerts.schema) | self._schema | known
        ended: list[_Group] = []
        for row, why in zip(alerts.iter_rows(named=True), reasons, strict=True):
            ends = Conversation.of(row)
            about = row["rule"] or (aspect(why[0].column) if why else "")
            key = (ends.src, ends.protocol, about)
            if ends.last is not None:
                ended += self._close(ends.last, key)
            group = self._open.pop(key, None) or _Group(row, why, ends.first, ends.last, begun=at)
            group.add(row, why, ends)
            group.heard = at
            self._open[key] = group  # the one that was silent for longest comes first
            if len(self._open) > self._most:
                ended.append(self._open.pop(next(iter(self._open))))
        if now is not None:
            for key in list(self._open):
                ended += self._close(now, key)
        return self._table(ended)

    def elapse(self, at: float) -> tuple[pl.DataFrame, list[list[Reason]]]:
        """Give out the groups that have been silent, or open, for too long by a clock that goes on
        while the source says nothing: seconds, as `add` was given them.
        """
        quiet, longest = self._quiet.total_seconds(), self._longest.total_seconds()
        over = [
            key
            for key, group in self._open.items()
            if at - group.heard > quiet or at - group.begun > longest
        ]
        return self._table([self._open.pop(key) for key in over])

    def saved(self) -> dict[str, np.ndarray]:
        """The open groups as bytes, for `restore`; nothing where none is open."""
        if not self._open:
            return {}
        rows = BytesIO()
        table = [group.row for group in self._open.values()]
        pl.DataFrame(table, schema=self._schema, strict=False).write_ipc(rows)
        facts = json.dumps([[*key, group.facts()] for key, group in self._open.items()])
        parts = {"group rows": rows.getvalue(), "group facts": facts.encode()}
        return {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}

    def restore(self, saved: Mapping[str, np.ndarray], *, at: float) -> None:
        """Take up the groups that `saved` gave."""
        if "group rows" not in saved:
            return
        table = pl.read_ipc(saved["group rows"].tobytes())
        facts = json.loads(saved["group facts"].tobytes())
        self._schema = dict(table.schema)
        for (src, protocol, about, said), row in zip(facts, table.to_dicts(), strict=True):
            self._open[src, protocol, about] = _Group.of(row, said, at)

    def finish(self) -> tuple[pl.DataFrame, list[list[Reason]]]:
        """Give out all groups that are still open."""
        ended, self._open = list(self._open.values()), {}
        return self._table(ended)

    def _close(self, now: datetime, key: tuple[str | None, str | None, str]) -> Iterator[_Group]:
        group = self._open.get(key)
        if group is None or group.first is None or group.last is None:
            return
        if now - group.last > self._quiet or now - group.first > self._longest:
            yield self._open.pop(key)

    def _table(self, ended: list[_Group]) -> tuple[pl.DataFrame, list[list[Reason]]]:
        utc = pl.Datetime("us", "UTC")
        added = dict(zip(GROUP, (pl.Int64, utc, utc, pl.Int64, pl.Int64), strict=True))
        rows = [group.said() for group in ended]
        table = pl.DataFrame(rows, schema=self._schema | added, strict=False)
        return table, [group.why for group in ended]
