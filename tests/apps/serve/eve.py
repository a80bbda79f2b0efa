"""Alerts as the watcher writes them, made up."""

import json
from datetime import UTC, datetime
from typing import Any

BEGIN = 1_772_400_000.0
HOSTILE = '<img src=x onerror="document.title=1">'


def record(number: int, at: float = 0.0, **changes: Any) -> dict[str, Any]:
    """One alert; changes go to the record or, with ``own_`` in front, to contraview's part."""
    moment = datetime.fromtimestamp(BEGIN + at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    own = {
        "id": f"{number:032x}",
        "score": 5.0 + number / 1000,
        "threshold": 4.0,
        "views": {"clan": 6.0, "ecod": 3.5},
        "reasons": [
            {"column": "fwd_iat_max", "value": 9e6, "usual": 10, "percentile": 99.9, "effect": 2.5},
            {"column": "service", "value": HOSTILE, "usual": "ssl", "percentile": 0, "effect": 1.0},
        ],
    }
    own |= {key.removeprefix("own_"): v for key, v in changes.items() if key.startswith("own_")}
    return {
        "timestamp": moment,
        "event_type": "alert",
        "src_ip": "192.0.2.7",
        "src_port": 40_000 + number,
        "dest_ip": "203.0.113.80",
        "dest_port": 443,
        "proto": "TCP",
        "alert": {"severity": 3},
        "flow": {"start": moment, "pkts_toserver": 3, "pkts_toclient": 2},
        "contraview": own,
    } | {key: value for key, value in changes.items() if not key.startswith("own_")}


def line(*args: Any, **changes: Any) -> bytes:
    """`record` as a line of the log."""
    return json.dumps(record(*args, **changes)).encode() + b"\n"
