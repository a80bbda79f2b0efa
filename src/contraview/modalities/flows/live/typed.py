"""Rows of text as flows with the columns a model needs, row by row, whatever else is read."""

from collections.abc import Sequence

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.cells import category, is_corrupt, moment, number, text
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.readers.raw import LINE
from contraview.modalities.flows.roles import is_text


class Typed:
    """Makes the columns of a kind, or of a model, from cells of text.

    A whole file is understood by looking at all of its cells; a log that grows is not there yet,
    so the columns and their roles are those that the model learnt.
    """

    def __init__(self, kind: Kind, numeric: Sequence[str], categorical: Sequence[str]) -> None:
        self.kind = kind
        self._derived = dict(kind.derived)
        self._numbers = list(kind.numbers or ()) if self._derived else list(numeric)
        self._categories = list(categorical)
        self._text = list(kind.text)
        self._times: dict[str, pl.Expr] = {}

    def missing(self, columns: Sequence[str]) -> list[str]:
        """What a table with these columns lacks."""
        wanted = (*self._numbers, *self._categories, *self._text)
        return [c for c in wanted if c not in columns and c not in self.kind.optional]

    def flows(self, cells: pl.DataFrame) -> tuple[pl.DataFrame, str]:
        """The flows, and what the first row that was left out has wrong (empty: none was).

        Raises:
            InputError: a column is missing.
        """
        if missing := self.missing(cells.columns):
            raise InputError(f"column {', '.join(map(repr, missing))} is missing")
        absent = [c for c in self.kind.optional if c not in cells.columns]
        cells = cells.with_columns(pl.lit(None, pl.String).alias(c) for c in absent)
        checked = [c for c in self._numbers if is_text(cells.schema[c])]
        first = ""
        if checked:
            wrong = cells.select(pl.any_horizontal(is_corrupt(c) for c in checked)).to_series()
            if wrong.any():
                first = _tell(cells.filter(wrong).head(1), checked)
                cells = cells.filter(~wrong)
        return cells.drop(LINE, strict=False).with_columns(self._expressions(cells, checked)), first

    def _expressions(self, cells: pl.DataFrame, checked: Sequence[str]) -> list[pl.Expr]:
        for column in self.kind.time[:1]:
            if cells.height and column not in self._times and column in cells.columns:
                self._times[column] = _time(cells, column)
        return [
            *(number(column).alias(column) for column in checked),
            *(category(column, self.kind.blank).alias(column) for column in self._categories),
            *(how.alias(c) for c, how in self._times.items() if c in cells.columns),
            *(derived.alias(column) for column, derived in self._derived.items()),
        ]


def _time(cells: pl.DataFrame, column: str) -> pl.Expr:
    """Numbers, UTC times or text, by the first cell that says something."""
    if not is_text(cells.schema[column]):
        return pl.col(column)
    first = cells.filter(text(column).str.len_chars() > 0).head(1)
    if first.height and first.select(number(column)).item() is not None:
        return number(column)
    return moment(column) if first.height and first.select(moment(column)).item() else text(column)


def _tell(row: pl.DataFrame, checked: Sequence[str]) -> str:
    flags = row.select(is_corrupt(column).alias(column) for column in checked).row(0)
    column = next(c for c, flag in zip(checked, flags, strict=True) if flag)
    return f"column {column!r}: {row[column][0][:40]!r} is no number"


def record_time(rows: pl.DataFrame, kind: Kind) -> pl.Series | None:
    """When each record was made, or its flow ended, which is nearly the same; UTC."""
    ends = {
        "zeek_conn": ("ts", "seconds"),
        "binetflow": ("StartTime", "seconds"),
        "suricata_eve": ("timestamp", None),
        "nfdump": ("te", None),
        "meter/std": ("last_seen", None),
        "meter/lycos": ("last_seen", None),
    }
    column, duration = ends.get(kind.name, (next(iter(kind.time), ""), None))
    if column not in rows.columns or not rows.height:
        return None
    dtype = rows.schema[column]
    if is_text(dtype):
        begun = moment(column)
    elif dtype.is_temporal():
        begun = pl.col(column)
    else:
        begun = pl.from_epoch((pl.col(column) * 1e6).cast(pl.Int64), "us").dt.replace_time_zone(
            "UTC"
        )
    if duration:
        begun = begun + pl.duration(
            microseconds=(pl.col(duration) * 1e6).fill_nan(0).cast(pl.Int64)
        )
    return rows.select(begun.alias("time")).to_series()
