"""Parquet files from outside: what one would become is looked at before it is read.

Then Arrow decodes it, a batch at a time, before polars does: of damaged pages that Arrow refuses
polars (2.1) believes some, asks for exabytes, and the whole process is ended.
"""

import io
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contraview.core.errors import InputError
from contraview.core.expansion import check_expansion
from contraview.core.reading import first_line, reading

_BATCH: Final = 65_536
_CELL: Final = 8
"""Bytes of a cell in memory, roughly: a number, or the view of a text."""


def read_parquet(source: Path | bytes, name: str) -> pl.DataFrame:
    """The table of a Parquet file.

    Args:
        source: the file or its bytes.
        name: what to call it in errors.

    Raises:
        InputError: not there, damaged, or a bomb.
    """
    check_parquet(source, name)
    with reading(name):
        return pl.read_parquet(io.BytesIO(source) if isinstance(source, bytes) else source)


def check_parquet(source: Path | bytes, name: str) -> None:
    """Refuse a Parquet file that is damaged, or that would take memory beyond all measure."""
    try:
        stored = len(source) if isinstance(source, bytes) else source.stat().st_size
        told = pq.read_metadata(io.BytesIO(source) if isinstance(source, bytes) else source)
        groups = [told.row_group(i) for i in range(told.num_row_groups)]
        cells = told.num_columns * max(told.num_rows, sum(group.num_rows for group in groups))
        packed = sum(group.total_byte_size for group in groups)
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; expected a Parquet file") from None
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        raise InputError(f"{name}: cannot be read: {first_line(error)}") from None
    if min(told.num_rows, *(group.num_rows for group in groups), packed, 0) < 0:
        raise InputError(f"{name}: cannot be read: its sizes are below zero")
    check_expansion(name, stored, max(cells * _CELL, packed))
    try:
        with pq.ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            for _ in file.iter_batches(_BATCH, use_threads=False):
                pass
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        raise InputError(f"{name}: cannot be read: {first_line(error)}") from None
