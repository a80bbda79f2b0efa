"""Recordings out of tables: one row a sample (long), or one row a recording (wide).

Messages count rows from 1, the header not counted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import reading
from contraview.modalities.signals.recording import Recording

LABEL_LIKE: Final = ("label", "labels", "class", "target", "age", "sex", "gender", "diagnosis")
MISSING: Final = ("", "nan", "na", "null")
JUMP: Final = 1.5
"""A step of time this many times the usual one is a gap."""
VALUE: Final = ("value",)
"""The one channel of a wide table."""

Found = tuple[list[Recording], tuple[str, ...]]


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
    """A CSV or Parquet file."""
    if path.suffix.lower() == ".parquet":
        return read_parquet(path, str(path))
    with reading(str(path)):
        return pl.read_csv(path, infer_schema_length=None)


def from_table(name: str, table: pl.DataFrame, columns: Columns, alone: str) -> Found:
    """The recordings of a table; ``alone`` is whose they are where no column says it."""
    for column in (*columns.named, *columns.channels):
        if column not in table.columns:
            hint = " (say which with subject)" if column == columns.subject else ""
            raise InputError(
                f"{name}: no column {column!r}{hint}; there are {_some(table.columns)}"
            )
    if not table.height:
        raise InputError(f"{name}: no rows; expected at least one")
    for column in columns.named:
        if table[column].null_count():
            row = int(table[column].is_null().arg_max() or 0) + 1
            raise InputError(f"{name}: column {column!r}, row {row}: empty; expected a value")
    channels = columns.channels or _channels(name, table, columns)
    samples = np.stack([_numbers(name, table[column]) for column in channels])
    if columns.wide:
        return [
            _of_row(name, table, columns, samples, alone, row) for row in range(table.height)
        ], VALUE
    subjects = table[columns.subject].cast(pl.String) if columns.subject else None
    recordings = []
    for rows in _pieces(name, table, columns):
        first = int(rows[0])
        subject = alone if subjects is None else subjects[first]
        place = f"{name}, subject {subject}, from row {first + 1}"
        label = _label(name, table, columns, rows)
        recordings.append(Recording(place, subject, samples[:, rows], label))
    return recordings, channels


def read_ucr(path: Path, labels: str | None, subject: str | None) -> Found:
    """A file of the UCR archive: a recording a line, its class first (here: whose it is)."""
    if labels not in (None, subject):
        raise InputError(f"{path}: a UCR file has no column {labels!r}; expected a table")
    recordings = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        try:
            owner, *values = map(float, cells)
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: {error}; expected a class and numbers"
            ) from None
        if not values or not np.isfinite(owner) or np.isinf(values).any():
            raise InputError(f"{path}, line {number}: expected a class and its samples")
        whose = f"{owner:g}"
        samples = np.asarray(values, np.float32)[None]
        recordings.append(
            Recording(f"{path}, line {number}", whose, samples, None if labels is None else whose)
        )
    if not recordings:
        raise InputError(f"{path}: empty; expected a recording a line")
    return recordings, VALUE


def _of_row(
    name: str,
    table: pl.DataFrame,
    columns: Columns,
    samples: Float[np.ndarray, "t n"],
    alone: str,
    row: int,
) -> Recording:
    subject = str(table[columns.subject][row]) if columns.subject else f"{alone}, row {row + 1}"
    label = _label(name, table, columns, np.asarray([row]))
    return Recording(f"{name}, row {row + 1}", subject, samples[:, row][None], label)


def _channels(name: str, table: pl.DataFrame, columns: Columns) -> tuple[str, ...]:
    rest = tuple(column for column in table.columns if column not in columns.named)
    for column in rest:
        if column.lower() in LABEL_LIKE:
            raise InputError(
                f"{name}: column {column!r} looks like a label, not a signal; name it with labels, "
                "or name the channels"
            )
    if not rest:
        raise InputError(
            f"{name}: no column is left for a signal; there are {_some(table.columns)}"
        )
    return rest


def _numbers(name: str, column: pl.Series) -> Float[np.ndarray, " t"]:
    """A column as numbers, NaN where a cell is empty or says so."""
    where = f"{name}: column {column.name!r}"
    if column.dtype.is_temporal() or column.dtype.is_nested():
        raise InputError(f"{where} holds {column.dtype}; expected numbers (name the channels)")
    numbers = column.cast(pl.Float32, strict=False)
    lost = numbers.is_null() & column.is_not_null()
    if column.dtype == pl.String:
        lost &= ~column.str.strip_chars().str.to_lowercase().is_in(MISSING)
    wrong = (lost | numbers.is_infinite()).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise InputError(
            f"{where}, row {row + 1}: {column[row]!r} is not a finite number (name the channels "
            "if this column is none)"
        )
    return numbers.fill_null(np.nan).to_numpy()


def _pieces(name: str, table: pl.DataFrame, columns: Columns) -> list[Int[np.ndarray, " _"]]:
    """The rows of each recording in order: by subject and recording, broken where time jumps."""
    keys = [column for column in (columns.subject, columns.recording) if column]
    rows = table.with_row_index("contraview.row").select("contraview.row", *keys)
    groups = rows.partition_by(keys, maintain_order=True) if keys else [rows]
    places = [group["contraview.row"].to_numpy().astype(np.int64) for group in groups]
    if columns.time is None:
        return places
    moments, pieces = _moments(name, table[columns.time]), []
    for group in places:
        steps = np.diff(moments[group])
        if (steps <= 0).any():
            row = int(group[int((steps <= 0).argmax()) + 1])
            raise InputError(
                f"{name}: column {columns.time!r}, row {row + 1}: {table[columns.time][row]} is no "
                "later than the sample before; expected rising times within a recording"
            )
        gaps = np.flatnonzero(steps > JUMP * np.median(steps)) if len(steps) else []
        pieces += np.split(group, np.asarray(gaps, np.int64) + 1)
    return pieces


def _moments(name: str, column: pl.Series) -> Float[np.ndarray, " t"]:
    """Times as numbers: numbers as they are, dates in microseconds; text is read as ISO dates."""
    try:
        dates = column.str.to_datetime() if column.dtype == pl.String else column
        if dates.dtype.is_temporal():
            dates = dates.to_physical() if dates.dtype == pl.Duration else dates.dt.epoch("us")
        return dates.cast(pl.Float64).to_numpy()
    except pl.exceptions.PolarsError:
        raise InputError(
            f"{name}: column {column.name!r}, row 1: {column[0]!r} is no number and no ISO date"
        ) from None


def _label(
    name: str, table: pl.DataFrame, columns: Columns, rows: Int[np.ndarray, " _"]
) -> float | str | None:
    """The one label of a recording; as text where it is the subject itself."""
    if columns.labels is None:
        return None
    values = table[columns.labels][rows]
    other = values != values[0]
    if other.any():
        row = int(rows[int(other.arg_max() or 0)])
        raise InputError(
            f"{name}: column {columns.labels!r}, row {row + 1}: {table[columns.labels][row]!r} "
            f"after {values[0]!r}; expected one label in all of a recording"
        )
    if columns.labels == columns.subject or not isinstance(values[0], int | float):
        return str(values[0])
    return float(values[0])


def _some(columns: list[str]) -> str:
    return ", ".join(columns[:8]) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
