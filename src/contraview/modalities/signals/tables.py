"""Recordings out of tables: one row a sample (long), or one row a recording (wide)."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.modalities.signals.recording import Recording

LABEL_LIKE: Final = ("label", "labels", "class", "target", "age", "sex", "gender", "diagnosis")
JUMP: Final = 1.5
"""A step of time this many times the usual one is a gap."""


@dataclass(frozen=True)
class Columns:
    """Which column is what; see `SignalSource`."""

    wide: bool
    subject: str | None
    recording: str | None
    time: str | None
    labels: str | None
    channels: tuple[str, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """Those that hold no samples."""
        every = (self.subject, self.recording, self.time, self.labels)
        return tuple(dict.fromkeys(name for name in every if name))


def read_table(path: Path) -> pl.DataFrame:
    """A CSV or Parquet file; in CSV an empty cell and NaN are missing."""
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read: {said}") from None


def from_table(
    name: str, table: pl.DataFrame, columns: Columns, alone: str
) -> tuple[list[Recording], tuple[str, ...]]:
    """The recordings of a table; ``alone`` is whose they are where no column says it."""
    for column in (*columns.named, *columns.channels):
        if column not in table.columns:
            hint = " (name it with subject)" if column == columns.subject else ""
            raise InputError(
                f"{name}: no column {column!r}{hint}; there are {_some(table.columns)}"
            )
    if not table.height:
        raise InputError(f"{name}: no rows; expected at least one")
    for column in columns.named:
        if table[column].null_count():
            row = table[column].is_null().arg_max()
            raise InputError(f"{name}: column {column!r}, row {row}: empty; expected a value")
    channels = columns.channels or _channels(name, table, columns)
    samples = np.stack([_numbers(name, table[column]) for column in channels])
    subjects = table[columns.subject].cast(pl.String) if columns.subject else None
    if columns.wide:
        labels = table[columns.labels] if columns.labels else None
        recordings = [
            Recording(
                f"{name}, row {row}",
                alone or f"row {row}" if subjects is None else subjects[row],
                samples[:, row][None],
                None if labels is None else _plain(labels[row]),
            )
            for row in range(table.height)
        ]
        return recordings, ("value",)
    recordings = []
    for rows in _pieces(name, table, columns):
        first = int(rows[0])
        subject = alone if subjects is None else subjects[first]
        recordings.append(
            Recording(
                f"{name}, subject {subject}",
                subject,
                samples[:, rows],
                _label(name, table, columns, rows),
                first,
            )
        )
    return recordings, channels


def read_ucr(path: Path) -> tuple[list[Recording], tuple[str, ...]]:
    """A file of the UCR archive: a recording a line, its class first (here: whose it is)."""
    recordings = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines()):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        try:
            subject, *values = map(float, cells)
        except ValueError as error:
            raise InputError(
                f"{path}, line {number + 1}: {error}; expected a class and numbers"
            ) from None
        if not values or not math.isfinite(subject):
            raise InputError(f"{path}, line {number + 1}: expected a class and its samples")
        samples = np.asarray(values, np.float32)[None]
        recordings.append(Recording(f"{path}, line {number + 1}", f"{subject:g}", samples))
    if not recordings:
        raise InputError(f"{path}: empty; expected a recording a line")
    return recordings, ("value",)


def _channels(name: str, table: pl.DataFrame, columns: Columns) -> tuple[str, ...]:
    rest = tuple(column for column in table.columns if column not in columns.named)
    for column in rest:
        if column.lower() in LABEL_LIKE:
            raise InputError(
                f"{name}: column {column!r} looks like a label, not a signal; name it with labels, "
                "or name the channels"
            )
    if not rest:
        raise InputError(f"{name}: no column is left for the signal; there are {_some(table.columns)}")
    return rest


def _numbers(name: str, column: pl.Series) -> Float[np.ndarray, " t"]:
    numbers = column.cast(pl.Float32, strict=False) if not column.dtype.is_temporal() else None
    if numbers is None:
        raise InputError(f"{name}: column {column.name!r} holds times; expected numbers")
    lost = numbers.is_null() & column.is_not_null()
    if column.dtype == pl.String:
        lost &= ~column.str.strip_chars().str.to_lowercase().is_in(["", "nan", "na"]).fill_null(True)
    if lost.any() or numbers.is_infinite().any():
        row = (lost | numbers.is_infinite()).fill_null(False).arg_max()
        raise InputError(
            f"{name}: column {column.name!r}, row {row}: {column[row]!r} is not a finite number "
            "(name the channels, if this column is none)"
        )
    return numbers.to_numpy().astype(np.float32)


def _pieces(name: str, table: pl.DataFrame, columns: Columns) -> list[Int[np.ndarray, " _"]]:
    """The rows of each recording in order: by subject and recording, broken where time jumps."""
    keys = [column for column in (columns.subject, columns.recording) if column]
    rows = table.with_row_index("contraview.row").select("contraview.row", *keys)
    groups = rows.partition_by(keys, maintain_order=True) if keys else [rows]
    pieces = []
    for group in groups:
        places = group["contraview.row"].to_numpy().astype(np.int64)
        if columns.time is None or len(places) < 3:
            pieces.append(places)
            continue
        steps = np.diff(_moments(name, table[columns.time])[places])
        if (steps <= 0).any():
            row = places[int((steps <= 0).argmax()) + 1]
            raise InputError(
                f"{name}: column {columns.time!r}, row {row}: {table[columns.time][int(row)]} is "
                "not later than the sample before; expected rising times within a recording"
            )
        pieces += np.split(places, np.flatnonzero(steps > JUMP * np.median(steps)) + 1)
    return pieces


def _moments(name: str, column: pl.Series) -> Float[np.ndarray, " t"]:
    """Times as numbers: dates, or numbers already; text is understood as ISO dates."""
    if column.dtype == pl.String:
        try:
            column = column.str.to_datetime()
        except pl.exceptions.PolarsError:
            raise InputError(
                f"{name}: column {column.name!r}: {column[0]!r} is no number and no ISO date"
            ) from None
    if column.dtype.is_temporal():
        column = column.dt.epoch("us") if column.dtype != pl.Duration else column.dt.total_microseconds()
    return column.cast(pl.Float64).to_numpy()


def _label(
    name: str, table: pl.DataFrame, columns: Columns, rows: Int[np.ndarray, " _"]
) -> float | str | None:
    if columns.labels is None:
        return None
    values = table[columns.labels][rows]
    other = values != values[0]
    if other.any():
        row = int(rows[int(other.arg_max() or 0)])
        raise InputError(
            f"{name}: column {columns.labels!r}, row {row}: {table[columns.labels][row]!r} after "
            f"{values[0]!r}; expected one label in all of a recording"
        )
    return _plain(values[0])


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, int | float) else str(value)


def _some(columns: list[str]) -> str:
    return ", ".join(columns[:8]) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
