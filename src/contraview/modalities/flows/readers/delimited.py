"""Tables of separated fields: CSV, TSV, semicolons; Zeek's own TSV; nfdump's CSV."""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
from jaxtyping import Bool

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.nfdump import NFDUMP_MARKS
from contraview.modalities.flows.kinds.nsl_kdd import NSL_KDD_COLUMNS
from contraview.modalities.flows.readers.blocks import TextFile
from contraview.modalities.flows.readers.raw import LINE, Malformed, Raw
from contraview.modalities.flows.readers.spool import spool

_SEPARATORS: Final = (",", "\t", ";", "|")
_SUMMARY: Final = re.compile(rb"(?m)^Summary$")
"""Where nfdump's records end and its totals begin."""


@dataclass(frozen=True)
class Layout:
    """How the lines of a file are to be read."""

    columns: tuple[str, ...]
    separator: str
    header_lines: int
    quoted: bool = True
    comments: bool = False
    totals_at_end: bool = False


def read_delimited(file: TextFile) -> Raw:
    """A text table whose columns its first line names, or Zeek's ``#fields``."""
    head = file.head()
    zeek = head.startswith(b"#")
    layout = layout_of(str(file.path), head)
    malformed = Malformed()
    cells = spool(_tables(file, layout, malformed))
    if cells is None:
        raise InputError(f"{file.path}: has no rows; expected flow records, one a line")
    raw = Raw(str(file.path), cells, malformed, kind="zeek_conn" if zeek else None)
    if file.cut_short:
        raw.notes.append(f"{file.path}: the compressed data ends early; read up to there")
    return raw


def layout_of(name: str, head: bytes) -> Layout:
    """How to read a text table that begins with ``head``.

    Raises:
        InputError: it is empty, its first line holds values, or it is another log of Zeek's.
    """
    return _zeek_layout(name, head) if head.startswith(b"#") else _layout(name, head)


def _layout(name: str, head: bytes) -> Layout:
    lines = head.decode(errors="replace").split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise InputError(f"{name}: is empty; expected flow records")
    header = lines[first]
    separator = max(_SEPARATORS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    if any(_is_number(name) for name in names):
        if len(names) in (len(NSL_KDD_COLUMNS), len(NSL_KDD_COLUMNS) - 1) and names[1].isalpha():
            return Layout(NSL_KDD_COLUMNS[: len(names)], separator, first)
        raise InputError(
            f"{name}: line {first + 1} holds values ({header[:40]!r}); expected column names"
        )
    return Layout(
        _distinct(names),
        separator,
        first + 1,
        totals_at_end=set(names) >= NFDUMP_MARKS,
    )


def _zeek_layout(name: str, head: bytes) -> Layout:
    comments = [line for line in head.decode(errors="replace").split("\n") if line[:1] == "#"]
    separator = "\t"
    settings: dict[str, list[str]] = {}
    for line in comments:
        if line.startswith("#separator"):
            with suppress(ValueError):
                separator = chr(int(line.split()[-1].removeprefix("\\x"), 16))
        else:
            key, *values = line[1:].split(separator)
            settings.setdefault(key, values)
    path = settings.get("path", ["conn"])
    if not path[0].startswith("conn"):
        raise InputError(f"{name}: is Zeek's {path[0]}.log; expected conn.log")
    if not settings.get("fields"):
        raise InputError(f"{name}: starts with '#' but has no #fields line; expected Zeek's")
    columns = _distinct(settings["fields"])
    return Layout(columns, separator, 0, quoted=False, comments=True)


def _distinct(names: list[str]) -> tuple[str, ...]:
    """The names, with an empty one numbered and a repeated one marked as pandas marks it."""
    seen: dict[str, int] = {}
    found = []
    for index, given in enumerate(names):
        name = given or f"unnamed_{index}"
        repeats = seen[name] = seen.get(name, -1) + 1
        found.append(f"{name}.{repeats}" if repeats else name)
    return tuple(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower().lstrip("+-") not in ("nan", "inf", "infinity")


def _tables(file: TextFile, layout: Layout, malformed: Malformed) -> Iterator[pa.Table]:
    line = 1
    to_skip = layout.header_lines
    for block in file.blocks():
        lines = block.count(b"\n")
        text = block
        for _ in range(to_skip):
            text = text[text.find(b"\n") + 1 :] if b"\n" in text else b""
        first_line, to_skip = line + to_skip, 0
        line += lines
        end = _SUMMARY.search(text) if layout.totals_at_end else None
        if end:
            text = text[: end.start()]
        if layout.comments:
            text = _without_comments(str(file.path), text, layout)
        table = parse(str(file.path), text, layout, first_line, malformed)
        if table.num_rows:
            yield table
        if end:
            return


def _without_comments(name: str, text: bytes, layout: Layout) -> bytes:
    """The block with comments as empty lines, so that line numbers stay what they are."""
    fields = "\t".join(("#fields", *layout.columns)).replace("\t", layout.separator).encode()
    for header in re.findall(rb"(?m)^#fields.*$", text):
        if header != fields:
            raise InputError(
                f"{name}: a later #fields line names other columns; split the log there"
            )
    return re.sub(rb"(?m)^#.*$", b"", text)


def parse(
    name: str, text: bytes, layout: Layout, first_line: int, malformed: Malformed
) -> pa.Table:
    """The rows of whole lines as strings, with `LINE`; one of another width is malformed."""
    if layout.quoted and b'"' in text:
        text = _without_open_quotes(name, text, first_line, malformed)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    rows = text.count(b"\n")
    if not rows:
        return pa.table({name: pa.array([], pa.large_string()) for name in layout.columns})
    table, skipped = _parsed(text, layout)
    if table.num_rows + len(skipped) < rows:  # a quote has swallowed the end of a line
        text = _without_broken_quotes(name, text, layout, first_line, malformed)
        table, skipped = _parsed(text, layout)
        if table.num_rows + len(skipped) < rows:
            raise InputError(f"{name}: from line {first_line}: its quotes make no sense")
    for row in skipped:
        if row.text.strip():
            where = f"{name}: line {first_line + row.number - 1}"
            told = f"{row.actual_columns} fields; expected {len(layout.columns)}"
            malformed.add(where, told)
    numbers = np.delete(np.arange(rows), [row.number - 1 for row in skipped])
    table = table.append_column(LINE, pa.array(first_line + numbers, pa.int64()))
    # Arrow reads an empty line as a row of empty cells.
    blank = _blank_lines(text)[numbers]
    return table.filter(pa.array(~blank)) if blank.any() else table


def _parsed(text: bytes, layout: Layout) -> tuple[pa.Table, list[pa_csv.InvalidRow]]:
    """The rows as strings, and those of another width."""
    skipped: list[pa_csv.InvalidRow] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        skipped.append(row)
        return "skip"

    positions = [str(index) for index in range(len(layout.columns))]
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        pa_csv.ReadOptions(use_threads=False, column_names=positions, block_size=len(text) + 1),
        pa_csv.ParseOptions(
            delimiter=layout.separator,
            quote_char='"' if layout.quoted else False,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(positions, pa.large_string()), strings_can_be_null=False
        ),
    ).rename_columns(list(layout.columns))
    return table, skipped


def _blank_lines(text: bytes) -> Bool[np.ndarray, " lines"]:
    """Which lines of a text hold nothing but their end."""
    signs = np.frombuffer(text, np.uint8)
    return np.diff(np.flatnonzero(signs == ord("\n")), prepend=-1) == 1


def _without_broken_quotes(
    name: str, text: bytes, layout: Layout, first_line: int, malformed: Malformed
) -> bytes:
    """The block without lines whose quotes pair, but not field by field: ``"a"b, "c"d,"e``."""
    other = f"[^{re.escape(layout.separator)}]"
    quoted = rf'"(?:[^"]|"")*+"{other}*+'
    field = rf'(?:{quoted}|(?!"){other}*+)'
    whole = re.compile(rf"{field}(?:{re.escape(layout.separator)}{field})*+")
    lines = text.decode().split("\n")
    broken = [i for i, line in enumerate(lines) if '"' in line and not whole.fullmatch(line)]
    for i in broken:
        malformed.add(f"{name}: line {first_line + i}", "a quote that is not closed")
        lines[i] = ""
    return "\n".join(lines).encode()


def _without_open_quotes(name: str, text: bytes, first_line: int, malformed: Malformed) -> bytes:
    """The block without lines whose quotes do not pair: one would swallow the lines after it."""
    lines = pl.Series(text.decode().split("\n"))
    odd = lines.str.count_matches('"', literal=True) % 2 == 1
    if not odd.any():
        return text
    where = f"{name}: line {first_line + (odd.arg_max() or 0)}"
    malformed.add(where, "a quote that is not closed", int(odd.sum()))
    return lines.set(odd, "").str.join("\n").item().encode()
