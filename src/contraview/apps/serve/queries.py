"""What the page asks of the store: filtered lists, a group, an alert. Addresses may be masked."""

import json
import re
import sqlite3
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contraview.apps.serve.store import Store

LONGEST_PAGE: Final = 500
WORDS: Final = 8
"""Words of a filter that count."""
COUNTED: Final = 256
"""Filters whose totals are remembered."""
ORDERS: Final = {
    "newest": "last DESC, id DESC",
    "strongest": "score DESC, id DESC",
}
State = Literal["open", "suppressed", "labelled", "all"]


class Filter(BaseModel):
    """Which groups are asked for; all that is not said is any."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=200, description="in an address, a protocol, a port, a reason")
    severity: list[int] = Field([], max_length=4, description="1 (worst) to 4; empty is all")
    state: State = Field("all", description="open: neither labelled nor suppressed")
    order: Literal["newest", "strongest"] = "newest"
    until: int | None = Field(None, description="the `newest` of an earlier answer: no later group")
    offset: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=LONGEST_PAGE)


class Queries:
    """Reads the store for the page.

    Args:
        store: what to read.
        redact: give hosts as ``host-1``, ``host-2`` in the order in which they came up.
    """

    def __init__(self, store: Store, *, redact: bool = False) -> None:
        self._store, self.redact = store, redact
        self._totals: dict[str, Any] = {}
        self._counted: dict[Any, int] = {}

    def groups(self, wanted: Filter) -> dict[str, Any]:
        """A part of the list of groups, how many there are in all, and the newest of any."""
        db = self._store.reading
        hosts, where, values = self._where(wanted)
        total = self._total(hosts, where, values)
        rows = []
        if wanted.offset < total:
            rows = db.execute(
                f"{hosts}SELECT * FROM groups{where} "  # noqa: S608
                f"ORDER BY {ORDERS[wanted.order]} LIMIT ? OFFSET ?",
                [*values, wanted.limit, wanted.offset],
            ).fetchall()
        newest = db.execute("SELECT coalesce(max(id), 0) FROM groups").fetchone()[0]
        return {"total": total, "newest": newest, "items": self.shown(rows)}

    def shown(self, rows: list[sqlite3.Row]) -> list[dict[str, Any]]:
        """Rows of groups as the page shows them."""
        names = self._names(self._store.reading, rows)
        return [self._group(row, names) for row in rows]

    def group(self, number: int) -> dict[str, Any] | None:
        """A group with its strongest alert."""
        db = self._store.reading
        row = db.execute("SELECT * FROM groups WHERE id = ?", [number]).fetchone()
        if row is None:
            return None
        found = self._group(row, self._names(db, [row]))
        return found | {"strongest": self.alert(row["strongest"])}

    def alerts(self, group: int, offset: int, limit: int) -> list[dict[str, Any]]:
        """The alerts of a group in the order in which they came."""
        db = self._store.reading
        rows = db.execute(
            "SELECT id, in_group, src, src_port, dst, dst_port, time, score, severity, label, "
            "suppressed FROM alerts WHERE in_group = ? ORDER BY id LIMIT ? OFFSET ?",
            [group, limit, offset],
        ).fetchall()
        names = self._names(db, rows)
        return [_ends(row, names) | _head(row) for row in rows]

    def alert(self, number: int) -> dict[str, Any] | None:
        """An alert with its views and reasons."""
        db = self._store.reading
        row = db.execute("SELECT * FROM alerts WHERE id = ?", [number]).fetchone()
        if row is None:
            return None
        record = json.loads(row["record"])
        own = record["contraview"]
        return {
            **_ends(row, self._names(db, [row])),
            **_head(row),
            "proto": record.get("proto"),
            "start": record.get("flow", {}).get("start"),
            "threshold": own["threshold"],
            "views": own["views"],
            "rule": own.get("rule"),
            "attack": own.get("attack"),
            "reasons": own.get("reasons", []),
            "packets": [record.get("flow", {}).get(f"pkts_to{to}") for to in ("server", "client")],
            "community_id": None if self.redact else record.get("community_id"),
            "identity": row["identity"],
        }

    def record(self, number: int) -> dict[str, Any] | None:
        """The alert as the watcher wrote it, addresses and all: never for the page."""
        row = self._store.reading.execute(
            "SELECT record FROM alerts WHERE id = ?", [number]
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def totals(self) -> dict[str, Any]:
        """How much there is, and a number that changes when anything does."""
        changed = int(self._store.fact("changed") or 0)
        if self._totals.get("changed") != changed:
            count = self._store.reading.execute(
                "SELECT (SELECT count(*) FROM groups), (SELECT coalesce(max(id), 0) FROM alerts), "
                "(SELECT count(*) FROM groups WHERE label IS NULL AND suppressed IS NULL)"
            ).fetchone()
            names = ("groups", "alerts", "open")
            self._totals = {**dict(zip(names, count, strict=True)), "changed": changed}
        return self._totals

    def health(self, limit: int = 100) -> list[dict[str, Any]]:
        """What the watcher said of its source and itself, the latest first."""
        rows = self._store.reading.execute(
            "SELECT time, sort, message FROM health ORDER BY id DESC LIMIT ?", [limit]
        )
        return [dict(row) for row in rows]

    def name(self, host: int | None, address: str | None) -> str | None:
        """How a host is called on the page."""
        return f"host-{host}" if self.redact and host is not None else address

    def _total(self, hosts: str, where: str, values: list[Any]) -> int:
        """How many groups fit; asked of the store once while nothing changes."""
        key = (where, tuple(values), self._store.fact("changed"))
        found = self._counted.get(key)
        if found is None:
            found = self._store.reading.execute(
                f"{hosts}SELECT count(*) FROM groups{where}",  # noqa: S608
                values,
            ).fetchone()[0]
            if len(self._counted) > COUNTED:
                self._counted.clear()
            self._counted[key] = found
        return found

    def _where(self, wanted: Filter) -> tuple[str, str, list[Any]]:
        """The hosts that each word may mean, what must hold of a group, and the values of both."""
        hosts: list[str] = []
        named: list[Any] = []
        said: list[str] = []
        values: list[Any] = []
        if wanted.until is not None:
            said.append("id <= ?")
            values.append(wanted.until)
        if wanted.severity:
            said.append(f"severity IN ({','.join('?' * len(wanted.severity))})")
            values += wanted.severity
        if wanted.state == "open":
            said.append("label IS NULL AND suppressed IS NULL")
        elif wanted.state == "suppressed":
            said.append("suppressed IS NOT NULL")
        elif wanted.state == "labelled":
            said.append("label IS NOT NULL")
        called = "'host-' || id" if self.redact else "address"
        for i, word in enumerate(wanted.text.split()[:WORDS]):
            like = "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
            hosts.append(
                f"h{i} AS MATERIALIZED (SELECT id FROM hosts WHERE {called} LIKE ? ESCAPE '\\')"  # noqa: S608
            )
            named.append(like)
            parts = [
                f"src IN h{i}",
                f"dst IN h{i}",
                *(f"{column} LIKE ? ESCAPE '\\'" for column in ("about", "proto", "label")),
            ]
            values += [like] * 3
            if word.isascii() and word.isdecimal() and len(word) < 6:
                parts.append("port = ?")
                values.append(int(word))
            said.append(f"({' OR '.join(parts)})")
        first = f"WITH {', '.join(hosts)} " if hosts else ""
        return first, " WHERE " + " AND ".join(said) if said else "", [*named, *values]

    def _names(self, db: sqlite3.Connection, rows: list[sqlite3.Row]) -> dict[int, str | None]:
        hosts = sorted({row[end] for row in rows for end in ("src", "dst")} - {None})
        asked = ",".join("?" * len(hosts))
        found = db.execute(f"SELECT id, address FROM hosts WHERE id IN ({asked})", hosts)  # noqa: S608
        return {host: self.name(host, address) for host, address in found}

    def _group(self, row: sqlite3.Row, names: dict[int, str | None]) -> dict[str, Any]:
        kept = ("id", "port", "proto", "about", "first", "last", "flows", "destinations", "ports")
        return {
            **{name: row[name] for name in kept},
            "src": names.get(row["src"]),
            "dst": names.get(row["dst"]),
            "is_rule": bool(row["is_rule"]),
            "score": row["score"],
            "severity": row["severity"],
            "label": row["label"],
            "suppressed": row["suppressed"],
        }


def _ends(row: sqlite3.Row, names: dict[int, str | None]) -> dict[str, Any]:
    return {
        "src": names.get(row["src"]),
        "src_port": row["src_port"],
        "dst": names.get(row["dst"]),
        "dst_port": row["dst_port"],
    }


def _head(row: sqlite3.Row) -> dict[str, Any]:
    kept = ("id", "in_group", "time", "score", "severity", "label", "suppressed")
    return {name: row[name] for name in kept}
