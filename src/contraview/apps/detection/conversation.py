"""Who talked to whom, when and how much, in one vocabulary whatever log a flow is from."""

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from contraview.modalities.flows.community_id import community_id

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "src": ("src_addr", "id.orig_h", "src_ip", "SrcAddr", "sa", "Source IP", "Src IP"),
    "src_port": ("src_port", "id.orig_p", "Sport", "sp", "Source Port", "Src Port"),
    "dst": ("dst_addr", "id.resp_h", "dest_ip", "DstAddr", "da", "Destination IP", "Dst IP"),
    "dst_port": (
        *("dst_port", "id.resp_p", "dest_port", "Dport", "dp"),
        *("Destination Port", "Dst Port"),
    ),
    "protocol": ("ip_prot", "proto", "Proto", "pr", "Protocol"),
    "start": ("flow.start", "ts", "StartTime", "timestamp", "Timestamp"),
    "end": ("flow.end", "te", "last_seen"),
    "sent": ("fwd_pkt_cnt", "fwd_packets"),
    "received": ("bwd_pkt_cnt", "bwd_packets"),
}
"""What each fact is called by the meter, Zeek, Suricata, Argus, nfdump, CICFlowMeter."""
PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP", 47: "GRE", 58: "IPv6-ICMP", 132: "SCTP"}
_WITH_PORTS: Final = {"TCP": 6, "UDP": 17, "SCTP": 132}
_COMMUNITY_ID: Final = re.compile(r"1:[A-Za-z0-9+/]{27}=")


@dataclass(frozen=True)
class Conversation:
    """The ends, times and packet counts of a flow; None where its source does not tell.

    Attributes:
        src: who opened it, an address as a rule; ``src_ip`` only if it is one, else None.
        dst: with whom, and ``dst_ip``.
        protocol: as Suricata writes it (TCP, UDP, ICMP).
        start: of the first packet, UTC; ``end`` of the last.
        sent: packets from the source; ``received`` from the other end.
        community_id: the source's own, else worked out for TCP, UDP and SCTP.
    """

    src: str | None
    src_port: int | None
    dst: str | None
    dst_port: int | None
    protocol: str | None
    start: datetime | None
    end: datetime | None
    sent: int | None
    received: int | None
    community_id: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Conversation":
        """From a row of any kind of flow record."""
        found = {
            fact: next((row[name] for name in names if row.get(name) is not None), None)
            for fact, names in _NAMES.items()
        }
        src, dst = (None if found[end] is None else str(found[end]) for end in ("src", "dst"))
        src_port, dst_port = _count(found["src_port"]), _count(found["dst_port"])
        protocol = _protocol(found["protocol"])
        start, end = _moment(found["start"]), _moment(found["end"])
        seconds = row.get("seconds")
        if start is not None and end is None and isinstance(seconds, float):
            with suppress(OverflowError, ValueError):
                end = start + timedelta(seconds=seconds)
        own = row.get("community_id")
        if not (isinstance(own, str) and _COMMUNITY_ID.fullmatch(own)):
            own = _community_id(src, dst, src_port, dst_port, protocol)
        sent, received = _count(found["sent"]), _count(found["received"])
        return cls(src, src_port, dst, dst_port, protocol, start, end, sent, received, own)

    @property
    def src_ip(self) -> str | None:
        """The source where it is an IP address."""
        return self.src if _is_address(self.src) else None

    @property
    def dst_ip(self) -> str | None:
        """The destination where it is an IP address."""
        return self.dst if _is_address(self.dst) else None

    @property
    def first(self) -> datetime | None:
        """The earliest time that is known of it."""
        return self.start or self.end

    @property
    def last(self) -> datetime | None:
        """The latest time that is known of it."""
        return self.end or self.start


def latest(rows: pl.DataFrame) -> datetime | None:
    """The latest time that a table of flow records names; None where it names none."""
    for name in (*_NAMES["end"], *_NAMES["start"]):
        if name in rows.columns and (found := _moment(rows[name].max())) is not None:
            return found
    return None


def facts_in(rows: pl.DataFrame, *facts: str) -> dict[str, pl.Series | None]:
    """For each fact the column of a table of flow records that tells it; None where none does."""
    names = {fact: next((n for n in _NAMES[fact] if n in rows.columns), None) for fact in facts}
    return {fact: None if name is None else rows[name] for fact, name in names.items()}


def _is_address(text: str | None) -> bool:
    try:
        ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return "%" not in (text or "")  # a zone is of one machine, and no other reader takes it


def _count(value: Any) -> int | None:
    """A whole number from a number or a text (Argus writes hexadecimal ports)."""
    with suppress(ValueError, OverflowError, TypeError):
        return int(value, 0) if isinstance(value, str) else int(value)
    return None


def _protocol(value: Any) -> str | None:
    number = _count(value)
    if number is not None:
        return PROTOCOLS.get(number, str(number))
    return str(value).upper() if value else None


def _moment(value: Any) -> datetime | None:
    """A time from seconds since 1970, text, or a time; without a zone it is UTC."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _community_id(
    src: str | None,
    dst: str | None,
    src_port: int | None,
    dst_port: int | None,
    protocol: str | None,
) -> str | None:
    if src is None or dst is None or not (_is_address(src) and _is_address(dst)):
        return None
    if (
        src_port is None
        or dst_port is None
        or not all(0 <= port < 1 << 16 for port in (src_port, dst_port))
    ):
        return None
    number = _WITH_PORTS.get(protocol or "")
    return None if number is None else community_id(src, dst, src_port, dst_port, number)
