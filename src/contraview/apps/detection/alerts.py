"""Alerts in the forms that Suricata's and Elastic's users have, as CSV, or to read on a screen."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import polars as pl

from contraview.apps.detection.alert_tables import as_csv, as_text
from contraview.apps.detection.conversation import Conversation
from contraview.apps.detection.grouping import GROUP, of_group
from contraview.apps.detection.living.naming import NAMED
from contraview.apps.detection.reasons import Reason
from contraview.core.plain_text import json_line

Format = Literal["eve", "ecs", "csv", "table"]

GID: Final = 8053
"""The generator id under which contraview's signatures are numbered in EVE records."""
SIGNATURES: Final = {
    "score": (1, "contraview flow unlike benign traffic"),
    "rule": (2, "contraview value never seen in benign traffic"),
}
CATEGORY: Final = "Anomalous Network Traffic"
TENFOLD: Final = math.log(10)
"""Nats by which a flow has to be more surprising to be ten times rarer on benign traffic."""
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
    inputs: Sequence[str] = (),
    head: bool = True,
) -> None:
    """Write one line an alert. Whatever text the traffic brought passes `core.plain_text`.

    Args:
        write: what takes the text, such as the ``write`` of an open file.
        form: ``eve`` and ``ecs`` are JSON lines, ``csv`` a table, ``table`` one for the eye.
        alerts: rows that `detect` marked as alerts, or that `Groups` made of them.
        reasons: for each row why it stands out.
        threshold: the score above which a flow is an alert.
        inputs: the columns that an EVE or ECS alert carries as they are, so that it can be learnt
            from without the source; see `Detector.inputs`.
        head: tables only: begin with the line of column names.
    """
    if form == "csv":
        write(as_csv(alerts, reasons, head=head))
    elif form == "table":
        levels = [severity(score, threshold) for score in alerts["score"]]
        write(as_text(alerts, reasons, levels, head=head))
    else:
        record = _eve if form == "eve" else _ecs
        own = partial(record, inputs=inputs)
        for line in records(alerts, reasons, threshold=threshold, record=own):
            write(json_line(line) + "\n")


def records(
    alerts: pl.DataFrame, reasons: Iterable[list[Reason]], *, threshold: float, record: Any
) -> Iterator[dict[str, Any]]:
    """One JSON record an alert; fields whose source has no value are left out."""
    for row, why in zip(alerts.iter_rows(named=True), reasons, strict=True):
        yield _without_nothing(record(row, why, threshold))


def event_id(row: dict[str, Any]) -> str:
    """32 hexadecimal digits from what the source says of the flow, the same in every run.

    What is empty does not count, so that a log with more columns gives the same id, and a number
    counts to six digits, since a statistic's last one depends on where a capture was cut into
    windows.
    """
    made_here = ("score", "rule", "alert", NAMED, *GROUP)
    said = [
        (name, f"{value:.6g}" if isinstance(value, float) and value % 1 else value)
        for name, value in sorted(row.items())
        if value is not None and name not in made_here and not name.startswith("view_")
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _own(
    row: dict[str, Any], why: list[Reason], threshold: float, inputs: Sequence[str]
) -> dict[str, Any]:
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
        "attack": row.get(NAMED),
        "uid": row.get("uid"),
        "group": {
            name: _eve_time(value) if isinstance(value, datetime) else value
            for name, value in of_group(row).items()
        },
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
        "inputs": {name: _short(row[name]) for name in inputs},
    }


def _short(value: Any) -> Any:
    """A statistic to the precision that a 32-bit float has."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _eve(
    row: dict[str, Any], why: list[Reason], threshold: float, inputs: Sequence[str]
) -> dict[str, Any]:
    number, signature = SIGNATURES["score" if row["score"] > threshold else "rule"]
    identity, ends = event_id(row), Conversation.of(row)
    own = {"id": identity, **_own(row, why, threshold, inputs)}
    if ends.src_ip is None or ends.dst_ip is None:
        own |= {"source": ends.src, "destination": ends.dst}
    return {
        "timestamp": _eve_time(ends.last),
        "flow_id": _suricata_flow_id(row, identity),
        "event_type": "alert",
        "src_ip": ends.src_ip,
        "src_port": ends.src_port,
        "dest_ip": ends.dst_ip,
        "dest_port": ends.dst_port,
        "proto": ends.protocol,
        "community_id": ends.community_id,
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
            "start": _eve_time(ends.start),
            "pkts_toserver": ends.sent,
            "pkts_toclient": ends.received,
        },
        "contraview": own,
    }


def _ecs(
    row: dict[str, Any], why: list[Reason], threshold: float, inputs: Sequence[str]
) -> dict[str, Any]:
    ends = Conversation.of(row)
    risk = 100 * (1 - math.exp(-max(row["score"], 0.0) / 4))
    number, signature = SIGNATURES["score" if row["score"] > threshold else "rule"]
    duration = packets = None
    if ends.start is not None and ends.end is not None:
        duration = max(round((ends.end - ends.start).total_seconds() * 1e9), 0)
    if ends.sent is not None and ends.received is not None:
        packets = ends.sent + ends.received
    return {
        "@timestamp": _iso_time(ends.last),
        "ecs": {"version": ECS_VERSION},
        "message": f"{signature}: {', '.join(reason.column for reason in why[:3])}",
        "event": {
            "kind": "alert",
            "category": ["network", "intrusion_detection"],
            "type": ["info"],
            "id": event_id(row),
            "module": "contraview",
            "dataset": "contraview.alert",
            "start": _iso_time(ends.start),
            "end": _iso_time(ends.end),
            "duration": duration,
            "severity": severity(row["score"], threshold),
            "risk_score": round(row["score"], 3),
            "risk_score_norm": round(risk, 1),
        },
        "rule": {"id": f"{GID}:{number}", "name": signature, "category": CATEGORY},
        "network": {
            "community_id": ends.community_id,
            "transport": None if ends.protocol is None else ends.protocol.lower(),
            "packets": packets,
        },
        "source": {"address": ends.src, "ip": ends.src_ip, "port": ends.src_port},
        "destination": {"address": ends.dst, "ip": ends.dst_ip, "port": ends.dst_port},
        "contraview": _own(row, why, threshold, inputs),
    }


def _suricata_flow_id(row: dict[str, Any], identity: str) -> int:
    """The source's own number where it has one, else 53 bits that every JSON reader keeps."""
    own = str(row.get("flow_id"))
    if own.isascii() and own.isdigit() and len(own) < 20:
        return int(own)
    return int(identity, 16) >> (128 - 53)


def _eve_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")


def _iso_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _without_nothing(value: Any) -> Any:
    """The value without fields that hold nothing, and without objects that are then empty."""
    if isinstance(value, dict):
        kept = {key: _without_nothing(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in (None, {})}
    return value
