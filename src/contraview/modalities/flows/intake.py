"""From raw parts to one typed table: roles, types, and the corrupt rows that are kept out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.cells import category, is_corrupt, is_empty, moment, number
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.readers.parquet import reading
from contraview.modalities.flows.readers.raw import LINE, Raw
from contraview.modalities.flows.roles import Census, Named, Roles, assign, is_text
from contraview.modalities.flows.rows import Rows

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


def take_in(raws: Sequence[Raw], kind: Kind, named: Named) -> tuple[Rows, Roles, Intake]:
    """The typed rows of all parts, the roles of their columns, and the account of what was read.

    Raises:
        InputError: a part has other columns than the first, a column that ``kind`` needs is
            missing, no row is left, or more than `CORRUPT_LIMIT` of them are corrupt.
    """
    name = raws[0].name if len(raws) == 1 else f"{raws[0].name} and {len(raws) - 1} more"
    with reading(name):
        rows = Rows.of(_complete(raws, kind))
        schema = rows.frame.collect_schema()
        census = Census(rows, kind)
        roles = assign(name, kind, schema, census, named)
        checked = _numbers_in_text(kind, roles, schema)
        whole, corrupt, first = _without_corrupt(raws, rows, census, checked)
        intake = _account(raws, census.rows, corrupt, first)
        expressions = [number(column).alias(column) for column in checked]
        expressions += [
            pl.col(c).cast(pl.Int8) for c in roles.numeric if schema.get(c) == pl.Boolean
        ]
        expressions += [category(column, kind.blank).alias(column) for column in roles.categorical]
        expressions += [_time(whole, c).alias(c) for c in roles.time[:1] if is_text(schema[c])]
        expressions += [derived.alias(column) for column, derived in kind.derived.items()]
    typed = whole.then(
        lambda part: part.drop(LINE, strict=False).with_columns(expressions), left=whole.left
    )
    return typed, roles, intake


def _complete(raws: Sequence[Raw], kind: Kind) -> list[pl.LazyFrame]:
    """The parts, each with the columns it must have."""
    schemas = [raw.cells.collect_schema() for raw in raws]
    parts = []
    for raw, schema in zip(raws, schemas, strict=True):
        patterns = [c for c in schema if c == "*" or (c.startswith("^") and c.endswith("$"))]
        if patterns:  # to polars these stand for several columns
            raise InputError(
                f"{raw.name}: column {patterns[0]!r} is called as a pattern is; expected a name"
            )
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


def _without_corrupt(
    raws: Sequence[Raw], rows: Rows, census: Census, checked: Sequence[str]
) -> tuple[Rows, int, str]:
    """The rows without a text in a column of numbers, how many were left out, and the first."""
    if all(census.filled[column] == census.numbers[column] for column in checked):
        return rows, 0, ""
    wrong = pl.any_horizontal([is_corrupt(column) for column in checked])
    looked_at = [LINE, *checked]
    count, first = 0, ""
    for raw, (part, height) in zip(raws, rows.parts, strict=True):
        is_file = LINE in part.collect_schema()
        numbered = part if is_file else part.with_row_index(LINE, 1)
        numbered = numbered.select(looked_at)
        for found in Rows(((numbered, height),)).then(lambda part: part.filter(wrong)).slices():
            first = first or f"{raw.name}: {'line' if is_file else 'row'} {_tell(found, checked)}"
            count += found.height
    kept = rows.then(lambda part: part.filter(~wrong), left=census.rows - count)
    return kept, count, first


def _tell(rows: pl.DataFrame, checked: Sequence[str]) -> str:
    """Where the first text in a column of numbers stands and what it is."""
    flags = rows.select(is_corrupt(column).alias(column) for column in checked).row(0)
    column = next(c for c, flag in zip(checked, flags, strict=True) if flag)
    return f"{rows[LINE][0]}, column {column!r}: {rows[column][0][:40]!r} is no number"


def _account(raws: Sequence[Raw], rows: int, corrupt: int, first: str) -> Intake:
    malformed = sum(raw.malformed.count for raw in raws)
    first = next((raw.malformed.first for raw in raws if raw.malformed.count), first)
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


def _time(rows: Rows, column: str) -> pl.Expr:
    """The time column as numbers or UTC times where all its cells are; as text otherwise."""
    forms = {"filled": ~is_empty(column), "numbers": number(column).is_not_null()}
    forms["moments"] = moment(column).is_not_null()
    counts = [form.sum().alias(name) for name, form in forms.items()]
    found = dict.fromkeys(forms, 0)
    for part in rows.then(lambda part: part.select(counts)).slices():
        found = {name: so_far + part[name].item() for name, so_far in found.items()}
    if found["numbers"] == found["filled"]:
        return number(column)
    return moment(column) if found["moments"] == found["filled"] else pl.col(column)
