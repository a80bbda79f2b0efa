"""Logs with one JSON object a line: Zeek's conn.log, Suricata's eve.json, any flat records."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from contraview.core.errors import InputError
from contraview.core.reading import PANIC
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.known import recognise
from contraview.modalities.flows.readers.blocks import TextFile
from contraview.modalities.flows.readers.raw import LINE, Malformed, Raw
from contraview.modalities.flows.readers.spool import spool


class ObjectLines:
    """How the objects of one log become rows: its kind, and its keys as columns.

    Attributes:
        kind: what kind of record the keys say it is.
        malformed: lines that are no JSON object.
        others: records of another sort, which are left out.
    """

    def __init__(self, name: str, head: bytes, kind: Kind | None = None) -> None:
        """Understand a log by its first lines; ``kind`` fixes the columns whatever those hold."""
        members = _members(name, head)
        self.kind = kind or recognise(members)
        if not (self.kind.marks <= set(members) or self.kind.records):
            raise InputError(f"{name}: its keys are not those of {self.kind.name}")
        wanted = (*self.kind.columns, *self.kind.identity, *self.kind.labels, *self.kind.time)
        fixed = kind is not None and kind.numbers is not None
        keys = dict.fromkeys(wanted if fixed else (*members, *self.kind.columns))
        if self.kind.records:
            keys[self.kind.records[0]] = None
        self.name = name
        self.malformed, self.others = Malformed(), Malformed()
        self._schema = _schema(list(keys), members, self.kind)

    def rows(self, block: bytes, first_line: int) -> pl.DataFrame:
        """The records of whole lines as columns of text, with `LINE`."""
        rows = _parse(self.name, block, self._schema, first_line, self.malformed)
        for outer, inner in self._schema.items():
            if isinstance(inner, pl.Struct):
                members = pl.col(outer).struct
                rows = rows.with_columns(
                    members.field(name.name).alias(f"{outer}.{name.name}") for name in inner.fields
                ).drop(outer)
        if self.kind.records:
            column, wanted = self.kind.records
            flows = rows.filter(pl.col(column) == wanted)
            self.others.count += rows.height - flows.height
            rows = flows
        return rows


def read_json_lines(file: TextFile) -> Raw:
    """A log of JSON objects, one a line; a key that a line lacks is empty there."""
    reader = ObjectLines(str(file.path), file.head())
    cells = spool(_tables(file, reader))
    malformed, others = reader.malformed, reader.others
    if cells is None:
        raise InputError(
            f"{malformed.first or file.path}: expected flow records, one object a line"
        )
    raw = Raw(str(file.path), cells, malformed)
    if others.count:
        raw.notes.append(f"{file.path}: {others.count:,} records are no flows; left out")
    if file.cut_short:
        raw.notes.append(f"{file.path}: the compressed data ends early; read up to there")
    return raw


def _tables(file: TextFile, reader: ObjectLines) -> Iterator[pa.Table]:
    line = 1
    for block in file.blocks():
        rows = reader.rows(block, line)
        line += block.count(b"\n")
        if rows.height:
            yield rows.to_arrow()


def _members(name: str, head: bytes) -> dict[str, bool]:
    """The keys of the first lines; those inside an object as ``object.key``, marked True."""
    found: dict[str, bool] = {}
    for line in head.decode(errors="replace").split("\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            for key, value in record.items():
                if isinstance(value, dict):
                    found |= {f"{key}.{inner}": True for inner in value}
                else:
                    found[key] = False
    if not found:
        raise InputError(f"{name}: line 1 is no JSON object; expected a log with one object a line")
    return found


def _schema(keys: list[str], members: dict[str, bool], kind: Kind) -> dict[str, Any]:
    """All values as text, so that a wrong one is found where its column is understood."""
    objects: dict[str, dict[str, Any]] = {}
    plain: list[str] = []
    for key in keys:
        outer, _, inner = key.partition(".")
        if inner and members.get(key, outer in kind.nested):
            objects.setdefault(outer, {})[inner] = pl.String
        else:
            plain.append(key)
    # A key that is an object in one line and a value in another counts as an object.
    texts = {key: pl.String for key in plain if key not in objects}
    return texts | {outer: pl.Struct(inner) for outer, inner in objects.items()}


def _parse(
    name: str, block: bytes, schema: dict[str, Any], first_line: int, malformed: Malformed
) -> pl.DataFrame:
    """The objects of a block; a line that is none is malformed."""
    rows = _read(block, schema)
    numbers = np.arange(first_line, first_line + block.count(b"\n") + (block[-1:] != b"\n"))
    if rows is None or rows.height != len(numbers):
        lines = pl.Series(block.decode().split("\n"))[: len(numbers)].str.strip_chars()
        whole = lines.str.starts_with("{") & lines.str.json_path_match("$").is_not_null()
        broken = ~whole & (lines != "")
        if broken.any():
            where = f"{name}: line {numbers[broken.arg_max() or 0]}"
            malformed.add(where, "no JSON object", int(broken.sum()))
        numbers = numbers[whole.to_numpy()]
        parts, kept = _fitting(lines.filter(whole).to_list(), schema)
        if len(kept) < len(numbers):
            odd = np.delete(numbers, np.asarray(kept, np.int64))
            told = "an object where a value is expected, or the reverse"
            malformed.add(f"{name}: line {odd[0]}", told, len(odd))
        numbers = numbers[np.asarray(kept, np.int64)]
        rows = pl.concat([pl.DataFrame(schema=schema), *parts])
    return rows.with_columns(pl.Series(LINE, numbers))


def _read(text: bytes, schema: dict[str, Any]) -> pl.DataFrame | None:
    """The objects of whole lines; None where one does not fit the schema."""
    try:
        return pl.read_ndjson(io.BytesIO(text), schema=schema)
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, PANIC):
        return None


def _fitting(lines: list[str], schema: dict[str, Any]) -> tuple[list[pl.DataFrame], list[int]]:
    """The objects that fit the schema, and which they are; others are found by halving."""
    parts: list[pl.DataFrame] = []
    kept: list[int] = []
    waiting = [(0, len(lines))]
    while waiting:
        start, end = waiting.pop()
        if start == end:
            continue
        rows = _read("\n".join(lines[start:end]).encode(), schema)
        if rows is not None and rows.height == end - start:
            parts.append(rows)
            kept += range(start, end)
        elif end - start > 1:
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]
    return parts, kept
