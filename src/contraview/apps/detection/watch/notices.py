"""Records about the watcher itself, in the forms of its alerts: health alerts and heartbeats."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from contraview.apps.detection.alerts import ECS_VERSION, GID
from contraview.apps.detection.watch.counters import utc
from contraview.core.plain_text import json_line, plain

Form = Literal["eve", "ecs"]
HEALTH: Final = {
    "columns": (101, "contraview the columns of the source changed"),
    "records": (102, "contraview most records of the source cannot be read"),
    "clock": (103, "contraview the clock of the source jumped"),
    "gap": (104, "contraview records were gone before they could be read"),
    "cut": (105, "contraview a capture ended in the middle"),
    "drops": (106, "contraview packets or records were lost"),
    "model": (107, "contraview the model on disk is another one now"),
    "rules": (109, "contraview the suppression rules cannot be read"),
    "behind": (108, "contraview cannot keep up with the source"),
}
"""Each sort of health alert with its signature."""
CATEGORY: Final = "Detector Health"


def health_line(form: Form, sort: str, text: str, *, source: str, at: float) -> str:
    """A health alert as one line; its id is made of source, sort, text and time."""
    number, signature = HEALTH[sort]
    text, source = plain(text), plain(source)
    said = repr((source, sort, text, at)).encode()
    identity = hashlib.sha256(said).hexdigest()[:32]
    own = {"health": sort, "message": text, "source": source}
    if form == "eve":
        alert = {
            "action": "allowed",
            "gid": GID,
            "signature_id": number,
            "rev": 1,
            "signature": signature,
            "category": CATEGORY,
            "severity": 3,
        }
        record = {
            "timestamp": _eve_time(at),
            "event_type": "alert",
            "alert": alert,
            "contraview": {"id": identity, **own},
        }
    else:
        event = {
            "kind": "alert",
            "category": ["network"],
            "type": ["error"],
            "id": identity,
            "module": "contraview",
            "dataset": "contraview.health",
            "severity": 3,
        }
        record = {
            "@timestamp": utc(at),
            "ecs": {"version": ECS_VERSION},
            "event": event,
            "message": text,
            "rule": {"id": f"{GID}:{number}", "name": signature, "category": CATEGORY},
            "contraview": own,
        }
    return _line(record)


def heartbeat_line(form: Form, counted: Mapping[str, Any], *, source: str, at: float) -> str:
    """A sign of life as one line: no alert, only what was counted."""
    own = {"source": plain(source), "heartbeat": dict(counted)}
    if form == "eve":
        return _line({"timestamp": _eve_time(at), "event_type": "stats", "contraview": own})
    event = {
        "kind": "metric",
        "category": ["network"],
        "type": ["info"],
        "module": "contraview",
        "dataset": "contraview.heartbeat",
    }
    head = {"@timestamp": utc(at), "ecs": {"version": ECS_VERSION}, "event": event}
    return _line({**head, "contraview": own})


def _eve_time(at: float) -> str:
    return utc(at).replace("Z", "+0000")


def _line(record: Mapping[str, Any]) -> str:
    return json_line(dict(record)) + "\n"
