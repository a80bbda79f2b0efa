"""Suppression rules on the page: the rules of the model folder, and what is kept that they fit.

The rules themselves are those of `contraview suppress`. The watcher holds back what they fit from
then on; what had come before is marked here, and is open again once a rule is gone.
"""

import ipaddress
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contraview.apps.detection.living.seen import Seen
from contraview.apps.detection.living.suppression import (
    Rule,
    Suppressions,
    add_rule,
    remove_rule,
)
from contraview.apps.detection.reasons import aspect
from contraview.apps.detection.services import stands_for
from contraview.apps.detection.watch.health import RulesWatch
from contraview.apps.serve.queries import Queries
from contraview.apps.serve.store import Store, changed, keep
from contraview.core.errors import InputError
from contraview.core.plain_text import plain

SUBNET: Final = {4: 24, 6: 64}
"""How much of an address its subnet has in common."""
End = Literal["src", "dst"]


class Wanted(BaseModel):
    """A rule, said of an alert: what of it the rule shall name. The service knows the addresses."""

    model_config = ConfigDict(extra="forbid")

    alert: int
    host: End | None = Field(None, description="this end of the flow")
    subnet: End | None = Field(None, description="the /24 (IPv6: /64) that this end is in")
    service: bool = Field(False, description="protocol and server port")
    reason: bool = Field(False, description="what the alert is grouped by")
    until: str | None = Field(None, max_length=40, description="2026-12-31, or a time; unset never")
    note: str = Field("", max_length=200)


class Quieted:
    """Rules and what they fit.

    Args:
        store: the alerts.
        queries: names hosts as the page does.
        folder: the model's.
    """

    def __init__(self, store: Store, queries: Queries, folder: Path) -> None:
        self._store, self._queries, self._folder = store, queries, folder
        self._watch = RulesWatch(folder)
        self.trouble: str | None = None

    def rule_of(self, record: dict[str, Any]) -> str | None:
        """The rule that suppresses an alert that has just come."""
        rules = self._watch.rules
        rule = rules.match(Seen.of_record(record)) if rules.rules else None
        return None if rule is None else rule.id

    def sync(self) -> None:
        """Mark what the rules of the folder fit, wherever they were written."""
        self.trouble = self._watch.look() or self.trouble
        rules = {rule.id: rule for rule in self._watch.rules.rules}
        known = set(json.loads(self._store.fact("rules") or "[]"))
        if rules.keys() == known:
            return
        with self._store.writing() as db:
            for gone in known - rules.keys():
                self._unmark(db, gone)
            for new in rules.keys() - known:
                if not rules[new].expired():
                    self._mark(db, rules[new])
            keep(db, "rules", json.dumps(sorted(rules)))
            changed(db)

    def rule(self, wanted: Wanted) -> Rule:
        """The rule that is meant.

        Raises:
            InputError: no such alert, or it has not what the rule shall name.
        """
        record = self._queries.record(wanted.alert)
        if record is None:
            raise InputError(f"no alert {wanted.alert}")
        seen, own = Seen.of_record(record), record["contraview"]
        ends = {
            "src": record.get("src_ip") or own.get("source"),
            "dst": record.get("dest_ip") or own.get("destination"),
        }
        reasons = own.get("reasons") or [{"column": ""}]
        said = {
            "host": ends[wanted.host] if wanted.host else None,
            "subnet": _subnet(ends[wanted.subnet]) if wanted.subnet else None,
            "service": seen.service if wanted.service else None,
            "reason": (own.get("rule") or "").partition(",")[0] or aspect(reasons[0]["column"])
            if wanted.reason
            else None,
        }
        asked = {"host": wanted.host, "subnet": wanted.subnet, "service": wanted.service}
        for name, value in said.items():
            if asked.get(name) and not value:
                raise InputError(f"the alert has no {name}")
        return Rule.of(**said, until=wanted.until, note=plain(wanted.note))

    def preview(self, wanted: Wanted) -> dict[str, Any]:
        """What a rule would quieten of what is kept here."""
        rule = self.rule(wanted)
        groups: set[int] = set()
        alerts = 0
        for _, group in self._fits(self._store.reading, rule):
            alerts += 1
            groups.add(group)
        return {"rule": self.told(rule), "alerts": alerts, "groups": len(groups)}

    def add(self, wanted: Wanted) -> dict[str, Any]:
        """Write a rule, and mark what it fits."""
        rule = add_rule(self._folder, self.rule(wanted))
        self._watch.look()
        with self._store.writing() as db:
            self._mark(db, rule)
            known = set(json.loads(self._store.fact("rules") or "[]"))
            keep(db, "rules", json.dumps(sorted(known | {rule.id})))
            changed(db)
        return self._shown(rule, {})

    def remove(self, identity: str) -> dict[str, Any]:
        """Remove a rule; what it alone had quietened is open again."""
        rule = remove_rule(self._folder, identity)
        self.sync()
        return self._shown(rule, {})

    def rules(self, held_back: dict[str, int]) -> list[dict[str, Any]]:
        """All rules with how many alerts each fits here, and how many the watcher held back."""
        rules = Suppressions.load(self._folder).rules
        return [self._shown(rule, held_back) for rule in reversed(rules)]

    def told(self, rule: Rule) -> str:
        """What a rule names, with hosts as the page calls them."""
        if not self._queries.redact:
            return rule.told()
        host = subnet = None
        if rule.host is not None:
            row = self._store.reading.execute(
                "SELECT id FROM hosts WHERE address = ?", [rule.host]
            ).fetchone()
            host = f"host-{row[0]}" if row else "masked"
        if rule.subnet is not None:
            subnet = "masked"
        return replace(rule, host=host, subnet=subnet).told()

    def _shown(self, rule: Rule, held_back: dict[str, int]) -> dict[str, Any]:
        here = self._store.reading.execute(
            "SELECT count(*) FROM alerts WHERE suppressed = ?", [rule.id]
        ).fetchone()[0]
        return {
            "id": rule.id,
            "told": self.told(rule),
            "until": None if rule.until is None else rule.until.timestamp(),
            "expired": rule.expired(),
            "note": plain(rule.note),
            "added": rule.added.timestamp(),
            "here": here,
            "held_back": held_back.get(rule.id, 0),
        }

    def _mark(self, db: sqlite3.Connection, rule: Rule) -> None:
        found = [(alert, group) for alert, group in self._fits(db, rule)]
        db.executemany(
            "UPDATE alerts SET suppressed = ? WHERE id = ?",
            [(rule.id, alert) for alert, _ in found],
        )
        db.executemany(
            "UPDATE groups SET suppressed = ? WHERE id = ? AND NOT EXISTS "
            "(SELECT 1 FROM alerts WHERE in_group = groups.id AND suppressed IS NULL)",
            [(rule.id, group) for group in {group for _, group in found}],
        )

    def _unmark(self, db: sqlite3.Connection, gone: str) -> None:
        rows = db.execute("SELECT id, in_group, record FROM alerts WHERE suppressed = ?", [gone])
        again = [(self.rule_of(json.loads(record)), *ids) for *ids, record in rows.fetchall()]
        db.executemany(
            "UPDATE alerts SET suppressed = ? WHERE id = ?", [(by, a) for by, a, _ in again]
        )
        db.executemany(
            "UPDATE groups SET suppressed = (SELECT CASE WHEN count(*) = count(suppressed) "
            "THEN max(suppressed) END FROM alerts WHERE in_group = groups.id) WHERE id = ?",
            [(group,) for group in {group for *_, group in again}],
        )

    def _fits(self, db: sqlite3.Connection, rule: Rule) -> Iterator[tuple[int, int]]:
        """The open alerts that a rule fits, with their groups: likely ones by the indexes, then
        each by the rule itself.
        """
        likely, values = ["a.suppressed IS NULL"], []
        if rule.host or rule.subnet:
            ends = replace(rule, service=None, reason=None)
            hosts = [
                host
                for host, address in db.execute("SELECT id, address FROM hosts")
                if ends.matches(Seen(None, (address,), None, frozenset()))
            ]
            db.execute("CREATE TEMP TABLE IF NOT EXISTS meant(host INTEGER PRIMARY KEY)")
            db.execute("DELETE FROM meant")
            db.executemany("INSERT INTO meant VALUES (?)", [(host,) for host in hosts])
            likely.append(
                "a.id IN (SELECT id FROM alerts WHERE src IN (SELECT host FROM meant) UNION "
                "SELECT id FROM alerts WHERE dst IN (SELECT host FROM meant))"
            )
        if rule.service and "/" in (services := stands_for(rule.service))[0]:
            ports = [int(service.rpartition("/")[2]) for service in services]
            likely.append(f"a.dst_port IN ({','.join('?' * len(ports))})")
            values += ports
        if rule.reason:
            likely.append("(g.about IN (?, ?) OR instr(g.about, ?))")
            values += [rule.reason, aspect(rule.reason), rule.reason]
        rows = db.execute(
            "SELECT a.id, a.in_group, a.record FROM groups g JOIN alerts a ON a.in_group = g.id "  # noqa: S608
            f"WHERE {' AND '.join(likely)}",
            values,
        )
        for alert, group, record in rows:
            if rule.matches(Seen.of_record(json.loads(record))):
                yield alert, group


def _subnet(address: str | None) -> str | None:
    if address is None:
        return None
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise InputError("this end has no IP address, so it is in no subnet") from None
    return f"{address}/{SUBNET[version]}"
