"""Strings from what people have: text lines, a column of a table, a list."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Int, Shaped
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.text.files import read_files

TEXT: Final = "text"
"""The column of text that has no column of its own."""
PART: Final = 4096


class TextSource(Config):
    """How to read strings."""

    column: str | None = Field(
        None, description="the column with the text; needed where a table has several text columns"
    )
    other: str | None = Field(
        None, description="the column with a second text: rows are pairs, for evaluate"
    )
    labels: str | None = Field(
        None, description="the column with a class or, for pairs, a similarity"
    )

    def read(self, source: Any) -> "Texts":
        """The texts of ``source``; see `read_texts`."""
        if isinstance(source, Texts):
            return source
        name, table = _table(source)
        if not table.height:
            raise InputError(f"{name}: holds no text; expected at least one")
        column = self.column or self._only_text(name, table)
        for each in (column, self.other):
            if each is not None:
                _check_text(name, table, each)
        if self.labels is not None:
            _need(name, table, self.labels)
        return Texts(name, table, column, self.other, self.labels)

    def _only_text(self, name: str, table: pl.DataFrame) -> str:
        named = {self.other, self.labels}
        columns = [c for c, kind in table.schema.items() if kind == pl.String and c not in named]
        if len(columns) != 1:
            there = ", ".join(columns) if columns else "none"
            raise InputError(
                f"{name}: which column holds the text is not known (text columns: {there}); "
                "name it with column"
            )
        return columns[0]


def read_texts(source: Any, settings: TextSource | None = None, **knobs: Any) -> "Texts":
    """Read strings, one an item.

    Args:
        source: a file or a glob, or a tuple of these: text with one string a line (blank lines are
            skipped), CSV, TSV or Parquet; text also as .gz. Or a list, an array or a Series of
            strings, which are the texts themselves; or a polars or pandas table.
        settings: how to read them.
        **knobs: the fields of `TextSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, not UTF-8, no such column, or a cell that is empty.
    """
    return (settings or TextSource.of(**knobs)).read(source)


@dataclass(frozen=True)
class Texts:
    """Strings, with whatever stood beside them.

    Attributes:
        name: how messages call them.
        table: all columns, one row a string.
        column: the one that is read.
        other: the second text of each pair, where rows are pairs.
        label: class or similarity, where there is one.
    """

    name: str
    table: pl.DataFrame
    column: str
    other: str | None = None
    label: str | None = None

    def __len__(self) -> int:
        return self.table.height

    @property
    def strings(self) -> list[str]:
        """The strings, in order."""
        return self.table[self.column].to_list()

    def distinct(self) -> list[str]:
        """Each different string once, in order of first appearance."""
        return self.table[self.column].unique(maintain_order=True).to_list()

    def parts(self) -> Iterator["Texts"]:
        """The strings in order, some thousands at a time."""
        for rows in self.table.iter_slices(PART):
            yield Texts(self.name, rows, self.column, self.other, self.label)

    def collect(self) -> pl.DataFrame:
        """All columns, one row a string."""
        return self.table

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The label of each string or pair: numbers where the column holds numbers, else text."""
        if self.label is None:
            raise InputError(f"{self.name}: has no labels; name their column with labels")
        cells = self.table[self.label]
        if cells.null_count():
            row = int(cells.is_null().arg_max() or 0)
            raise InputError(f"{self.name}: column {self.label!r}, row {row + 1} is empty")
        if cells.dtype.is_numeric():
            return cells.cast(pl.Float64).to_numpy()
        return cells.cast(pl.String).to_numpy().astype(np.str_)

    def others(self) -> "Texts | None":
        """The second texts of the pairs; None where rows are no pairs."""
        return None if self.other is None else Texts(self.name, self.table, self.other)

    def take(self, rows: Sequence[int] | Int[np.ndarray, " n"]) -> "Texts":
        """The strings with these numbers, counted from 0, in this order."""
        taken = self.table[np.asarray(rows, np.int64)]
        return Texts(self.name, taken, self.column, self.other, self.label)

    def fingerprint(self) -> str:
        """SHA-256 over the strings in order, whatever file they came from."""
        digest = hashlib.sha256()
        for each in self.strings:
            digest.update(f"{len(each)}:{each}".encode())
        return digest.hexdigest()


def _table(source: Any) -> tuple[str, pl.DataFrame]:
    if isinstance(source, (str, Path)):
        return read_files([source])
    if isinstance(source, tuple) and source:
        return read_files(source)
    if isinstance(source, pl.DataFrame):
        return "table", source
    table: Any = source
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return "table", pl.from_pandas(table.rename(columns=str))
    if isinstance(source, list) and source and all(isinstance(each, Path) for each in source):
        return read_files(source)
    if isinstance(source, pl.Series) or (hasattr(source, "tolist") and hasattr(source, "shape")):
        source = source.to_list() if isinstance(source, pl.Series) else table.tolist()
    if not isinstance(source, list):
        raise InputError(
            f"{type(source).__name__}: no source of text; expected a file, a list of strings, "
            "a table"
        )
    for number, each in enumerate(source):
        if not isinstance(each, str):
            raise InputError(
                f"list of texts, item {number}: is {type(each).__name__}; expected a string"
            )
    return "list of texts", pl.DataFrame({TEXT: source}, schema={TEXT: pl.String})


def _need(name: str, table: pl.DataFrame, column: str) -> None:
    if column not in table.columns:
        raise InputError(f"{name}: no column {column!r}; there are {', '.join(table.columns)}")


def _check_text(name: str, table: pl.DataFrame, column: str) -> None:
    _need(name, table, column)
    cells = table[column]
    if cells.dtype != pl.String:
        raise InputError(f"{name}: column {column!r} holds {cells.dtype}; expected text")
    empty = cells.is_null() | (cells.str.strip_chars() == "")
    if empty.any():
        row = int(empty.arg_max() or 0)
        raise InputError(f"{name}: column {column!r}, row {row + 1} is empty; expected text")
