"""Tables written one under the other in constant memory, whole or not at all."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import polars as pl
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from contraview.core.errors import ContraviewError, InputError

FORMATS: Final = (".csv", ".parquet", ".jsonl", ".ndjson")

Add = Callable[[pl.DataFrame], None]
"""Writes some rows below those before; all have the same columns."""


def need_table_name(out: Path | None) -> None:
    """Refuse a name that does not say its format, or a place where nothing can be written.

    It is called before any work is done: what takes hours should not fail at its first row.
    """
    if out is None:
        return
    if out.suffix not in FORMATS:
        raise InputError(f"{out}: expected a name that ends in {', '.join(FORMATS)}")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; expected the name of a file")
    beside = _beside(out)
    try:
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror or error}); expected a folder that exists "
            "and may be written to"
        ) from None


def write(tables: Iterable[pl.DataFrame], out: Path | None) -> None:
    """Write tables one under the other, in constant memory, in the format the name says.

    A file appears under its name once it is whole; without a name it is CSV on stdout.

    Raises:
        ContraviewError: the disk is full, or is gone; or there are no tables.
    """
    if out is None:
        for number, table in enumerate(tables):
            sys.stdout.write(table.write_csv(include_header=number == 0))
        return
    beside = _beside(out)
    try:
        with _file(beside, out) as add:
            table = None
            for table in tables:
                add(table)
            if table is None:
                raise ContraviewError(f"{out}: nothing to write: the data gave no row")
        with _told(out):
            beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    sys.stdout.write(f"{out}\n")


def _beside(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


@contextmanager
def _file(path: Path, out: Path) -> Iterator[Add]:
    """A file that tables are added to; only what goes wrong in writing is told of ``out``."""
    with _told(out):
        file = path.open("wb")
    form = _Parquet(file) if out.suffix == ".parquet" else _Text(file, out.suffix == ".csv")

    def add(table: pl.DataFrame) -> None:
        with _told(out):
            form.add(table)

    try:
        yield add
        with _told(out):
            form.close()
            file.close()
    except BaseException:
        with suppress(OSError, pa.ArrowException):  # it is thrown away: what failed is known
            form.close()
        with suppress(OSError):
            file.close()
        raise


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ContraviewError(f"{out}: cannot be written: {error.strerror or error}") from None


class _Parquet:
    """One row group a table."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: ParquetWriter | None = None

    def add(self, table: pl.DataFrame) -> None:
        rows = table.to_arrow()
        if self._writer is None:
            self._writer = ParquetWriter(self._file, rows.schema)
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _Text:
    """CSV, or one JSON object a line."""

    def __init__(self, file: IO[bytes], csv: bool) -> None:
        self._file, self._csv, self._empty = file, csv, True

    def add(self, table: pl.DataFrame) -> None:
        text = table.write_csv(include_header=self._empty) if self._csv else table.write_ndjson()
        self._file.write(text.encode())
        self._empty = False

    def close(self) -> None:
        """Nothing is held back."""
