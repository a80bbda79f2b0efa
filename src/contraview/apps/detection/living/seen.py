"""What can be asked of an alert, from its row or from its record in an alert file."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contraview.apps.detection.conversation import Conversation
from contraview.apps.detection.reasons import Reason, aspect
from contraview.apps.detection.services import service_of


@dataclass(frozen=True)
class Seen:
    """The facts of one alert that a rule is about.

    Attributes:
        id: the alert's own, where it comes from a record.
        hosts: both ends, as they stand in the log; IP addresses as a rule.
        service: as in ``tcp/443``.
        reasons: the columns of a broken rule; else the column with the largest effect, and what
            it is about (``bwd_iat_max`` is about ``iat``).
    """

    id: str | None
    hosts: tuple[str, ...]
    service: str | None
    reasons: frozenset[str]

    @classmethod
    def of_row(cls, row: Mapping[str, Any], why: Sequence[Reason]) -> "Seen":
        """From a row that `detect` marked as an alert, and why it stands out."""
        ends = Conversation.of(row)
        return cls(
            None, _hosts(ends), service_of(ends), _reasons(row["rule"], [r.column for r in why])
        )

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Seen":
        """From one line of an alert file, EVE or ECS, as JSON reads it."""
        own = _object(record, "contraview")
        source, target = _object(record, "source"), _object(record, "destination")
        protocol = record.get("proto") or _object(record, "network").get("transport")
        row = {
            "src_ip": record.get("src_ip") or source.get("address") or own.get("source"),
            "dest_ip": record.get("dest_ip") or target.get("address") or own.get("destination"),
            "dest_port": record.get("dest_port", target.get("port")),
            "proto": protocol,
        }
        ends = Conversation.of(row)
        columns = [str(_object(reason).get("column")) for reason in own.get("reasons") or ()]
        return cls(
            identity(record),
            _hosts(ends),
            service_of(ends),
            _reasons(own.get("rule"), columns),
        )


def identity(record: Mapping[str, Any]) -> str | None:
    """The id of an alert's record, in either form; None for a record of another sort."""
    for part in ("contraview", "event"):
        found = _object(record, part).get("id")
        if isinstance(found, str):
            return found
    return None


def usual_form(host: str) -> str:
    """An IP address in its usual form; another name of a host as it stands."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _hosts(ends: Conversation) -> tuple[str, ...]:
    return tuple(usual_form(end) for end in (ends.src, ends.dst) if end is not None)


def _object(value: Any, *path: str) -> Mapping[str, Any]:
    """A member that should be an object, or an empty one: files may hold anything."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _reasons(rule: str | None, columns: Sequence[str]) -> frozenset[str]:
    if rule:
        return frozenset(rule.split(","))
    return frozenset({columns[0], aspect(columns[0])} if columns else ())
