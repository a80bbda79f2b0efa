"""Alerts as lines that Suricata's and Elastic's users already have: EVE, ECS, or CSV."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, Literal

import polars as pl

from contraview.apps.detection.reasons import Reason

Format = Literal["eve", "ecs", "csv"]

GID: Final = 8053
"""The generator id under which contraview's signatures are numbered in EVE records."""
SIGNATURES: Final = {
    "score": (1, "contraview flow unlike benign traffic"),
    "rule": (2, "contraview value never seen in benign traffic"),
}
CATEGORY: Final = "Anomalous Network Traffic"
TENFOLD: Final = math.log(10)
"""Nats by which a flow has to be more surprising to be ten times rarer on benign traffic."""
PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP", 47: "GRE", 58: "IPv6-ICMP", 132: "SCTP"}
ECS_VERSION: Final = "8.11.0"


def severity(score: float, threshold: float) -> int:
    """1 (worst) where the flow is a hundred times rarer than the threshold asks, 2 ten times,
    3 above the threshold, 4 where only a rule fired.
    """
    if score > threshold + 2 * TENFOLD:
        return 1
    if score > threshold + TENFOLD:
        return 2
    return 3 if score > threshold else 4


def write_alerts(
    write: Callable[[str], Any],
    form: Format,
    alerts: pl.DataFrame,
    reasons: Iterable[list[Reason]],
    *,
    threshold: float,
    head: bool = True,
) -> None:
    """Write one line an alert.

    Args:
        write: what takes the text, such as the ``write`` of an open file.
        form: ``eve`` and ``ecs`` are JSON lines, ``csv`` a table.
        alerts: rows that `detect` marked as alerts.
        reasons: for each row why it stands out.
        threshold: the score above which a flow is an alert.
        head: csv only: begin with the line of column names.
    """
    if form == "csv":
        why = [" ".join(reason.column for reason in row) for row in reasons]
        table = alerts.drop("alert").with_columns(pl.Series("reasons", why, dtype=pl.String))
        write(table.write_csv(include_header=head))
        return
    record = _eve if form == "eve" else _ecs
    for line in records(alerts, reasons, threshold=threshold, record=record):
        write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")


def records(
    alerts: pl.DataFrame, reasons: Iterable[list[Reason]], *, threshold: float, record: Any
) -> Iterator[dict[str, Any]]:
    """One JSON record an alert; fields whose source has no value are left out."""
    for row, why in zip(alerts.iter_rows(named=True), reasons, strict=True):
        yield _without_nothing(record(row, why, threshold))


def event_id(row: dict[str, Any]) -> str:
    """32 hexadecimal digits from what the source says of the flow, the same in every run."""
    made_here = ("score", "rule", "alert")
    said = [
        (name, value)
        for name, value in row.items()
        if name not in made_here and not name.startswith("view_")
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _own(row: dict[str, Any], why: list[Reason], threshold: float) -> dict[str, Any]:
    """The part that is contraview's own, alike in EVE and ECS."""
    views = {
        name.removeprefix("view_"): round(value, 3)
        for name, value in row.items()
        if name.startswith("view_")
    }
    return {
        "score": round(row["score"], 3),
        "threshold": round(threshold, 3),
        "views": views,
        "rule": row["rule"],
        "reasons": [
            {
                "column": reason.column,
                "value": reason.value,
                "usual": reason.usual,
                "percentile": round(reason.percentile, 1),
                "effect": round(reason.effect, 3),
            }
            for reason in why
        ],
    }


def _eve(row: dict[str, Any], why: list[Reason], threshold: float) -> dict[str, Any]:
    number, signature = SIGNATURES["score" if row["score"] > threshold else "rule"]
    identity = event_id(row)
    return {
        "timestamp": _eve_time(row.get("last_seen") or row.get("timestamp")),
        "flow_id": _suricata_flow_id(row, identity),
        "event_type": "alert",
        "src_ip": row.get("src_addr"),
        "src_port": row.get("src_port"),
        "dest_ip": row.get("dst_addr"),
        "dest_port": row.get("dst_port"),
        "proto": _protocol(row.get("ip_prot")),
        "community_id": row.get("community_id"),
        "alert": {
            "action": "allowed",
            "gid": GID,
            "signature_id": number,
            "rev": 1,
            "signature": signature,
            "category": CATEGORY,
            "severity": severity(row["score"], threshold),
        },
        "flow": {
            "start": _eve_time(row.get("timestamp")),
            "pkts_toserver": _count(row.get("fwd_pkt_cnt")),
            "pkts_toclient": _count(row.get("bwd_pkt_cnt")),
        },
        "contraview": {"id": identity, **_own(row, why, threshold)},
    }


def _ecs(row: dict[str, Any], why: list[Reason], threshold: float) -> dict[str, Any]:
    start, end = row.get("timestamp"), row.get("last_seen")
    risk = 100 * (1 - math.exp(-max(row["score"], 0.0) / 4))
    number, signature = SIGNATURES["score" if row["score"] > threshold else "rule"]
    duration = None
    if isinstance(start, datetime) and isinstance(end, datetime):
        duration = round((end - start).total_seconds() * 1e9)
    return {
        "@timestamp": _iso_time(end or start),
        "ecs": {"version": ECS_VERSION},
        "event": {
            "kind": "alert",
            "category": ["network", "intrusion_detection"],
            "type": ["info"],
            "id": event_id(row),
            "module": "contraview",
            "dataset": "contraview.alert",
            "start": _iso_time(start),
            "end": _iso_time(end),
            "duration": duration,
            "severity": severity(row["score"], threshold),
            "risk_score": round(row["score"], 3),
            "risk_score_norm": round(risk, 1),
        },
        "rule": {"id": f"{GID}:{number}", "name": signature, "category": CATEGORY},
        "network": {
            "community_id": row.get("community_id"),
            "transport": (_protocol(row.get("ip_prot")) or "").lower() or None,
            "packets": _sum(row.get("fwd_pkt_cnt"), row.get("bwd_pkt_cnt")),
        },
        "source": {"ip": row.get("src_addr"), "port": row.get("src_port")},
        "destination": {"ip": row.get("dst_addr"), "port": row.get("dst_port")},
        "contraview": _own(row, why, threshold),
    }


def _suricata_flow_id(row: dict[str, Any], identity: str) -> int:
    """The source's own number where it has one, else 53 bits that every JSON reader keeps."""
    own = row.get("flow_id")
    return own if isinstance(own, int) else int(identity, 16) >> (128 - 53)


def _protocol(number: Any) -> str | None:
    if isinstance(number, int):
        return PROTOCOLS.get(number, str(number))
    return str(number).upper() if number else None


def _eve_time(moment: Any) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f+0000") if isinstance(moment, datetime) else None


def _iso_time(moment: Any) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(moment, datetime) else None


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _sum(*values: Any) -> int | None:
    return None if any(value is None for value in values) else int(sum(values))


def _without_nothing(value: Any) -> Any:
    """The value without fields that hold nothing, and without objects that are then empty."""
    if isinstance(value, dict):
        kept = {key: _without_nothing(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in (None, {})}
    return value
