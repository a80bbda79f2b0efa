"""Rules that quieten alerts, in MODEL/suppressions.json: who wrote one knows what it hides.

A rule names at least one of host, subnet, service and reason; an alert that fits all that it names
is suppressed. Suppressed alerts are counted by rule wherever alerts are written. A rule ends at
its ``until``; it then stays in the file, and is told of as expired, until it is removed.
"""

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

import polars as pl

from contraview.apps.detection.living.beside import changing, need_model
from contraview.apps.detection.living.seen import Seen, usual_form
from contraview.apps.detection.reasons import Reason
from contraview.apps.detection.services import stands_for, understood
from contraview.core.errors import InputError
from contraview.core.model_files import read_json
from contraview.core.plain_text import plain
from contraview.core.whole_file import write_json

FILE: Final = "suppressions.json"
FORMAT: Final = 1


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        id: 8 hexadecimal digits, made of what the rule names.
        host: one end of the flow, an address as the log has it.
        subnet: a network that one end is in, as in ``10.0.0.0/8``.
        service: as in ``tcp/1883`` or ``mqtt``; see `services`.
        reason: the column with the largest effect, what it is about, or the column of a broken
            rule: what alerts are grouped by.
        until: the moment it ends, UTC; None never.
        note: why it is there, for people.
        added: when it was written, UTC.
    """

    id: str
    host: str | None
    subnet: str | None
    service: str | None
    reason: str | None
    until: datetime | None
    note: str
    added: datetime

    @classmethod
    def of(
        cls,
        *,
        host: str | None = None,
        subnet: str | None = None,
        service: str | None = None,
        reason: str | None = None,
        until: datetime | date | str | None = None,
        note: str = "",
        now: datetime | None = None,
    ) -> "Rule":
        """A rule from what a person writes. A date as ``until`` means the end of that day, UTC.

        Raises:
            InputError: nothing is named, or something is not understood.
        """
        if not (host or subnet or service or reason):
            raise InputError(
                "the rule would suppress every alert; expected a host, subnet, service or reason"
            )
        host = usual_form(host) if host else None
        subnet = _network(subnet) if subnet else None
        service = understood(service) if service else None
        named = (host, subnet, service, reason or None)
        identity = hashlib.sha256(repr(named).encode()).hexdigest()[:8]
        now = (now or datetime.now(UTC)).replace(microsecond=0)
        return cls(identity, *named, _moment(until), note, now)

    def matches(self, alert: Seen) -> bool:
        """Whether an alert fits all that the rule names; its end does not count here."""
        if self.host is not None and self.host not in alert.hosts:
            return False
        if self.subnet is not None and not _within(alert.hosts, self.subnet):
            return False
        if self.service is not None and alert.service not in stands_for(self.service):
            return False
        return self.reason is None or self.reason in alert.reasons

    def expired(self, now: datetime | None = None) -> bool:
        """Whether it has ended."""
        return self.until is not None and self.until <= (now or datetime.now(UTC))

    def told(self) -> str:
        """What it names, as one line."""
        names = ("host", "subnet", "service", "reason")
        said = [f"{name} {plain(value)}" for name in names if (value := getattr(self, name))]
        return ", ".join(said)

    def as_json(self) -> dict[str, Any]:
        """The rule as JSON holds it: what it does not name is left out, times in ISO 8601."""
        return {
            name: f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value not in (None, "")
        }


@dataclass(frozen=True)
class Suppressions:
    """The rules of a model, in the order they were written."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> "Suppressions":
        """Those of a model folder; none where it has no file of them.

        Raises:
            InputError: the folder holds no model, or the file is damaged.
        """
        need_model(folder)
        path = folder / FILE
        if not path.exists():
            return cls()
        try:
            content = read_json(path)
            if content["format"] > FORMAT:
                raise InputError(f"{path}: format {content['format']}; update contraview")
            return cls(tuple(_rule(each) for each in content["rules"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: holds no suppression rules: {error}") from None

    def active(self, now: datetime | None = None) -> list[Rule]:
        """Those that have not ended."""
        return [rule for rule in self.rules if not rule.expired(now)]

    def expired(self, now: datetime | None = None) -> list[Rule]:
        """Those that have ended."""
        return [rule for rule in self.rules if rule.expired(now)]

    def match(self, alert: Seen, now: datetime | None = None) -> Rule | None:
        """The first active rule that suppresses an alert; None where it is to be told."""
        return next((rule for rule in self.active(now) if rule.matches(alert)), None)

    def said_of(self, hits: Mapping[str, int]) -> str:
        """What was suppressed, a line a rule; empty where nothing was."""
        told = {rule.id: rule.told() for rule in self.rules}
        lines = [f"suppressed {n:,} by {each}: {told.get(each, '')}\n" for each, n in hits.items()]
        return "".join(lines)

    def said_of_expired(self, now: datetime | None = None) -> str:
        """Which rules have ended, a line each."""
        return "".join(
            f"expired {rule.until:%Y-%m-%d}, suppresses no more: {rule.id} {rule.told()}\n"
            for rule in self.expired(now)
        )

    def split(
        self, alerts: pl.DataFrame, reasons: Sequence[list[Reason]], now: datetime | None = None
    ) -> tuple[pl.DataFrame, list[list[Reason]], Counter[str]]:
        """The alerts that no rule suppresses, their reasons, and by rule how many were.

        Args:
            alerts: rows that `detect` marked as alerts.
            reasons: for each row why it stands out.
            now: the moment that rules must have lasted to.
        """
        active = self.active(now)
        if not active or alerts.is_empty():
            return alerts, list(reasons), Counter()
        hits: Counter[str] = Counter()
        kept = []
        for i, (row, why) in enumerate(zip(alerts.iter_rows(named=True), reasons, strict=True)):
            seen = Seen.of_row(row, why)
            rule = next((rule for rule in active if rule.matches(seen)), None)
            if rule is None:
                kept.append(i)
            else:
                hits[rule.id] += 1
        return alerts[kept], [reasons[i] for i in kept], hits


def add_rule(folder: Path, rule: Rule) -> Rule:
    """Write a rule; one that names the same is replaced."""
    with changing(folder):
        kept = [each for each in Suppressions.load(folder).rules if each.id != rule.id]
        _write(folder, [*kept, rule])
    return rule


def remove_rule(folder: Path, identity: str) -> Rule:
    """Remove a rule by its id.

    Raises:
        InputError: there is none of that id.
    """
    with changing(folder):
        rules = Suppressions.load(folder).rules
        rule = _find(folder, rules, identity)
        _write(folder, [each for each in rules if each is not rule])
    return rule


def expire_rule(folder: Path, identity: str, *, now: datetime | None = None) -> Rule:
    """End a rule at this moment; it stays listed as expired."""
    with changing(folder):
        rules = Suppressions.load(folder).rules
        rule = _find(folder, rules, identity)
        ended = replace(rule, until=(now or datetime.now(UTC)).replace(microsecond=0))
        _write(folder, [ended if each is rule else each for each in rules])
    return ended


def _find(folder: Path, rules: Sequence[Rule], identity: str) -> Rule:
    for rule in rules:
        if rule.id == identity:
            return rule
    there = ", ".join(rule.id for rule in rules) or "none"
    raise InputError(f"{folder}: no suppression rule {identity!r}; there are: {there}")


def _write(folder: Path, rules: Sequence[Rule]) -> None:
    content = {"format": FORMAT, "rules": [rule.as_json() for rule in rules]}
    write_json(folder / FILE, content)


def _rule(saved: dict[str, Any]) -> Rule:
    """A rule from its file: checked again, since people edit files."""
    known = ("host", "subnet", "service", "reason", "until", "note")
    fields = {name: saved[name] for name in known if name in saved}
    rule = Rule.of(**fields, now=_moment(saved["added"]))
    return replace(rule, id=str(saved["id"]))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise InputError(f"subnet {text!r}: expected a network as in 10.0.0.0/8") from None


def _within(hosts: Sequence[str], subnet: str) -> bool:
    network = ipaddress.ip_network(subnet)
    for host in hosts:
        try:
            if ipaddress.ip_address(host) in network:
                return True
        except ValueError:
            continue
    return False


def _moment(until: datetime | date | str | None) -> datetime | None:
    if isinstance(until, str):
        try:
            until = datetime.fromisoformat(until) if "T" in until else date.fromisoformat(until)
        except ValueError:
            raise InputError(
                f"until {until!r}: expected a date as in 2026-12-31, or a time as in "
                "2026-12-31T18:00:00Z"
            ) from None
    if until is None:
        return None
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(23, 59, 59), UTC)
    return until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
