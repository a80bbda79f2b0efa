"""From raw parts to one typed table: roles, types, and the corrupt rows that are kept out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.cells import category, is_corrupt, is_empty, moment, number
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.readers.parquet import reading
from contraview.modalities.flows.readers.raw import LINE, Raw
from contraview.modalities.flows.roles import Census, Named, Roles, assign, is_text

CORRUPT_LIMIT: Final = 0.05
"""A larger share of corrupt rows is an error: the source is not what it is taken for."""


@dataclass(frozen=True)
class Intake:
    """What was read, and what was kept out.

    Attributes:
        sources: the files, in order.
        rows: rows read whole.
        corrupt: rows kept out: another number of fields, a text in a column of numbers.
        first: where and what the first of them is.
        notes: what else a person should know about the files.
    """

    sources: tuple[str, ...]
    rows: int
    corrupt: int
    first: str
    notes: tuple[str, ...]


def take_in(raws: Sequence[Raw], kind: Kind, named: Named) -> tuple[pl.LazyFrame, Roles, Intake]:
    """One lazy table of all parts, the roles of its columns, and the account of what was read.

    Raises:
        InputError: a part has other columns than the first, a column that ``kind`` needs is
            missing, no row is left, or more than `CORRUPT_LIMIT` of them are corrupt.
    """
    name = raws[0].name if len(raws) == 1 else f"{raws[0].name} and {len(raws) - 1} more"
    with reading(name):
        parts = _aligned(raws, kind)
        table = pl.concat(parts, how="diagonal_relaxed") if len(parts) > 1 else parts[0]
        schema = table.collect_schema()
        census = Census(table, schema)
        roles = assign(name, kind, schema, census, named)
        checked = _numbers_in_text(kind, roles, schema)
        corrupt_row = reduce(or_, map(is_corrupt, checked), pl.lit(value=False))
        corrupt = 0
        if any(census.filled(column) > census.numbers(column) for column in checked):
            corrupt = table.select(corrupt_row.sum()).collect(engine="streaming").item()
            table = table.filter(~corrupt_row)
        intake = _account(raws, parts, checked, census.rows, corrupt)
        casts = [number(column).alias(column) for column in checked]
        casts += [pl.col(c).cast(pl.Int8) for c in roles.numeric if schema.get(c) == pl.Boolean]
        casts += [category(column, kind.blank).alias(column) for column in roles.categorical]
        casts += [_time(table, c).alias(c) for c in roles.time[:1] if is_text(schema[c])]
    derived = [expression.alias(column) for column, expression in kind.derived.items()]
    return table.drop(LINE, strict=False).with_columns(*casts, *derived), roles, intake


def _aligned(raws: Sequence[Raw], kind: Kind) -> list[pl.LazyFrame]:
    """The parts, each with the columns it must have."""
    schemas = [raw.cells.collect_schema() for raw in raws]
    parts = []
    for raw, schema in zip(raws, schemas, strict=True):
        missing = [column for column in kind.required if column not in schema]
        if missing:
            raise InputError(
                f"{raw.name}: no column {missing[0]!r}; expected the columns of {kind.name}, or "
                "another kind named"
            )
        odd = sorted(set(schema) ^ set(schemas[0]))
        if kind.numbers is None and odd:
            raise InputError(
                f"{raw.name}: column {odd[0]!r} is not in both this and {raws[0].name}; "
                "expected parts with the same columns"
            )
        absent = [c for c in kind.columns if c in kind.optional and c not in schema]
        empty = [pl.lit(None, pl.String).alias(column) for column in absent]
        parts.append(raw.cells.with_columns(empty) if kind.numbers else raw.cells)
    return parts


def _numbers_in_text(kind: Kind, roles: Roles, schema: Mapping[str, Any]) -> list[str]:
    """The columns of numbers whose cells are text."""
    columns = kind.numbers if kind.derived and kind.numbers else roles.numeric
    return [column for column in columns if is_text(schema[column])]


def _account(
    raws: Sequence[Raw],
    parts: Sequence[pl.LazyFrame],
    checked: Sequence[str],
    rows: int,
    corrupt: int,
) -> Intake:
    malformed = sum(raw.malformed.count for raw in raws)
    first = next((raw.malformed.first for raw in raws if raw.malformed.count), "")
    if corrupt and not first:
        first = _first_corrupt(raws, parts, checked)
    kept, lost = rows - corrupt, malformed + corrupt
    if lost > CORRUPT_LIMIT * (rows + malformed):
        raise InputError(
            f"{first}; {lost:,} of {rows + malformed:,} rows are corrupt; expected at most "
            f"{CORRUPT_LIMIT:.0%}"
        )
    if not kept:
        raise InputError(f"{raws[0].name}: has no rows; expected flow records")
    notes = tuple(note for raw in raws for note in raw.notes)
    return Intake(tuple(raw.name for raw in raws), kept, lost, first, notes)


def _first_corrupt(
    raws: Sequence[Raw], parts: Sequence[pl.LazyFrame], checked: Sequence[str]
) -> str:
    """Where the first text in a column of numbers stands: file, line or row, column, text."""
    wrong = [is_corrupt(column).alias(column) for column in checked]
    for raw, part in zip(raws, parts, strict=True):
        numbered = part if LINE in part.collect_schema() else part.with_row_index(LINE, 1)
        found = (
            numbered.filter(reduce(or_, map(is_corrupt, checked))).select(LINE, *checked).head(1)
        ).collect()
        if found.height:
            flags = found.select(wrong).row(0)
            column = next(c for c, flag in zip(checked, flags, strict=True) if flag)
            unit = "line" if numbered is part else "row"
            return (
                f"{raw.name}: {unit} {found[LINE].item()}, column {column!r}: "
                f"{found[column].item()[:40]!r} is no number"
            )
    raise AssertionError("corrupt rows were counted")


def _time(table: pl.LazyFrame, column: str) -> pl.Expr:
    """The time column as numbers or UTC times where all its cells are; as text otherwise."""
    filled = ~is_empty(column)
    counts = table.select(
        filled.sum().alias("filled"),
        number(column).is_not_null().sum().alias("numbers"),
        moment(column).is_not_null().sum().alias("moments"),
    )
    row = counts.collect(engine="streaming").row(0, named=True)
    if row["numbers"] == row["filled"]:
        return number(column)
    return moment(column) if row["moments"] == row["filled"] else pl.col(column)
