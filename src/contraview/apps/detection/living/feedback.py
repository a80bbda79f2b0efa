"""What people say of alerts, in MODEL/feedback.parquet: one row an alert, with its flow.

The flow comes from the alert itself: EVE and ECS alerts carry the columns that a flow is judged by
(``contraview.inputs``). Addresses, ports and times are in none of them, so the file holds none. A
group of alerts stands for its strongest flow. Recording changes nothing: what it teaches a model
is worked out by `lessons`, and taken by `contraview feedback MODEL --apply`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from contraview.apps.detection.living.beside import changing, need_model
from contraview.apps.detection.living.seen import identity
from contraview.core.errors import InputError
from contraview.core.model_files import inside
from contraview.core.parquet_files import read_parquet
from contraview.core.whole_file import write_bytes

FILE: Final = "feedback.parquet"
Verdict = Literal["benign", "attack"]
VERDICTS: Final = ("benign", "attack")
NAMELESS: Final = "attack"
"""What an attack is called that nobody gave a name."""
MOST: Final = 10_000
"""Rows of feedback that are kept."""
_INPUT: Final = "input "
_NAME: Final = re.compile(r"[\w .:+-]{1,60}")
_FEWEST_DIGITS: Final = 8


@dataclass(frozen=True)
class Feedback:
    """What somebody said of one alert.

    Attributes:
        id: of the alert.
        verdict: benign, or attack.
        name: of the attack; None for a benign flow.
        at: when it was said, UTC.
        score: of the flow when it was an alert, in nats.
        inputs: the flow's columns; what it did not have is not there.
    """

    id: str
    verdict: Verdict
    name: str | None
    at: datetime
    score: float
    inputs: dict[str, float | str]


def records(alerts: Path) -> Iterator[dict[str, Any]]:
    """The alerts of an EVE or ECS file; heartbeats, health alerts and cut lines are passed over.

    Raises:
        InputError: there is no such file.
    """
    try:
        with alerts.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and identity(record) and "score" in _own(record):
                    yield record
    except OSError as error:
        raise InputError(f"{alerts}: cannot be read: {error.strerror or error}") from None


def find_alert(alerts: Path, wanted: str) -> dict[str, Any]:
    """The alert of an id, or of the beginning of one (8 digits or more), in an alert file.

    Raises:
        InputError: none, or several, have it.
    """
    if len(wanted) < _FEWEST_DIGITS:
        raise InputError(f"alert {wanted!r}: expected an id, or its first {_FEWEST_DIGITS} digits")
    found = {
        name: record
        for record in records(alerts)
        if (name := identity(record) or "").startswith(wanted)
    }
    if len(found) != 1:
        raise InputError(
            f"{alerts}: {len(found) or 'no'} alerts with the id {wanted}; expected one"
        )
    return next(iter(found.values()))


def record_feedback(
    folder: Path,
    alert: Mapping[str, Any],
    verdict: Verdict,
    *,
    name: str | None = None,
    now: datetime | None = None,
) -> Feedback:
    """Write down what somebody says of an alert; said again, it replaces what was said before.

    Args:
        folder: the model that raised it.
        alert: the alert's record, as JSON reads it.
        verdict: benign or attack.
        name: what the attack is called; for an attack alone.
        now: the time to write down.

    Raises:
        InputError: the alert does not carry its flow, or the name does not fit.
    """
    said = _said(alert, verdict, name, (now or datetime.now(UTC)).replace(microsecond=0))
    with changing(folder):
        kept = [each for each in load_feedback(folder) if each.id != said.id]
        if len(kept) >= MOST:
            raise InputError(f"{folder}: {MOST:,} rows of feedback are kept; forget some first")
        _write(folder, [*kept, said])
    return said


def forget_feedback(folder: Path, alert: str) -> Feedback:
    """Take back what was said of an alert, by its id or the beginning of it.

    Raises:
        InputError: nothing was said of it.
    """
    with changing(folder):
        there = load_feedback(folder)
        found = [each for each in there if alert and each.id.startswith(alert)]
        if len(found) != 1:
            raise InputError(f"{folder}: {len(found) or 'no'} feedback of {alert!r}; expected one")
        _write(folder, [each for each in there if each is not found[0]])
    return found[0]


def load_feedback(folder: Path) -> list[Feedback]:
    """All that was said of a model's alerts, in the order it was said.

    Raises:
        InputError: the folder holds no model, or the file is damaged.
    """
    need_model(folder)
    path = folder / FILE
    if not path.exists():
        return []
    try:
        table = read_parquet(inside(folder, path.name), str(path))
        return [_of_row(row) for row in table.iter_rows(named=True)]
    except (pl.exceptions.PolarsError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: holds no feedback: {error}") from None


def flows_of(said: list[Feedback]) -> pl.DataFrame:
    """The flows behind feedback as a table of their columns; empty where one has no value."""
    if not said:
        return pl.DataFrame()
    return pl.from_dicts([each.inputs for each in said], infer_schema_length=None, strict=False)


def _said(alert: Mapping[str, Any], verdict: Verdict, name: str | None, at: datetime) -> Feedback:
    own, found = _own(alert), identity(alert)
    inputs = own.get("inputs")
    if found is None or not isinstance(inputs, dict) or not inputs:
        raise InputError(
            f"alert {found or 'without an id'}: does not carry its flow; expected an EVE or ECS "
            "alert of this version's `contraview detect`"
        )
    if name is not None and verdict == "benign":
        raise InputError("a benign flow has no attack's name; expected --attack with --name")
    if name is not None and (not _NAME.fullmatch(name) or name in ("benign", "unknown")):
        raise InputError(
            f"name {name!r}: expected up to 60 letters, digits, spaces or . : + - _, and neither "
            "benign nor unknown"
        )
    held = {str(k): v for k, v in inputs.items() if isinstance(v, int | float | str)}
    numbers = {k: v if isinstance(v, str) else float(v) for k, v in held.items()}
    return Feedback(
        found,
        verdict,
        (name or NAMELESS) if verdict == "attack" else None,
        at,
        float(own.get("score", 0.0)),
        numbers,
    )


def _write(folder: Path, said: list[Feedback]) -> None:
    path = folder / FILE
    if not said:
        path.unlink(missing_ok=True)
        return
    about = pl.DataFrame(
        {
            "id": [each.id for each in said],
            "verdict": [each.verdict for each in said],
            "name": pl.Series([each.name for each in said], dtype=pl.String),
            "at": [each.at for each in said],
            "score": [each.score for each in said],
        }
    )
    flows = flows_of(said)
    flows = flows.rename({name: f"{_INPUT}{name}" for name in flows.columns})
    content = BytesIO()
    pl.concat([about, flows], how="horizontal").write_parquet(content)
    write_bytes(path, content.getvalue())


def _of_row(row: dict[str, Any]) -> Feedback:
    inputs = {
        name.removeprefix(_INPUT): value
        for name, value in row.items()
        if name.startswith(_INPUT) and value is not None
    }
    if row["verdict"] not in VERDICTS:
        raise ValueError(f"verdict {row['verdict']!r}")
    return Feedback(row["id"], row["verdict"], row["name"], row["at"], row["score"], inputs)


def _own(record: Mapping[str, Any]) -> Mapping[str, Any]:
    own = record.get("contraview")
    return own if isinstance(own, Mapping) else {}
