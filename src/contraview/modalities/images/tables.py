"""Tables that name image files, with labels, captions or masks beside them."""

import os
from pathlib import Path
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.core.expansion import inflated
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import PANIC, first_line

TABLES: Final = (".csv", ".csv.gz", ".tsv", ".parquet", ".jsonl", ".ndjson")
FILE_COLUMNS: Final = ("file", "filename", "file_name", "filepath", "path", "image", "image_path")
"""Looked for in this order where no column is named."""


def read_table(path: Path) -> pl.DataFrame:
    """A table of any of `TABLES`, all columns of text files as text."""
    if path.suffix == ".parquet":
        return read_parquet(path, str(path))
    try:
        if path.name.endswith(".gz"):
            text = inflated(path.read_bytes(), str(path))
            return pl.read_csv(text, separator=",", infer_schema=False)
        if path.suffix in (".jsonl", ".ndjson"):
            return pl.read_ndjson(path)
        separator = "\t" if path.suffix == ".tsv" else ","
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a table with a column of files") from None
    except (pl.exceptions.PolarsError, PANIC, OSError) as error:
        raise InputError(f"{path}: cannot be read as a table: {first_line(error)}") from None


def files_of(table: pl.DataFrame, root: Path, named: str | None, where: str) -> tuple[Path, ...]:
    """The image file of each row; relative names are below ``root``.

    Raises:
        InputError: no such column, no rows, or a file that is not there.
    """
    column = named or next((name for name in FILE_COLUMNS if name in table.columns), None)
    if column is None or column not in table.columns:
        raise InputError(
            f"{where}: no column {column or 'of image files'}; there are "
            f"{', '.join(table.columns) or 'none'}: name the one with the files with --images"
        )
    if not table.height:
        raise InputError(f"{where}: has no rows; expected one an image")
    return files_in(table, column, root, where)


def files_in(table: pl.DataFrame, column: str, root: Path, where: str) -> tuple[Path, ...]:
    """The files that a column names, each of which is there."""
    files = []
    for row, name in enumerate(table[column], start=1):
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}: row {row}, column {column!r}: empty; expected a file")
        path = root / name
        if not os.path.isfile(path):  # noqa: PTH113 a name no file can have is none either
            raise InputError(
                f"{where}: row {row}, column {column!r}: {path}: no such file; expected one that "
                "is there"
            )
        files.append(path)
    return tuple(files)
