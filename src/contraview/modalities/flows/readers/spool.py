"""Parsed text kept as Parquet in a nameless temporary file, then scanned lazily.

Text is parsed once; every later pass (check, fit, findings, scoring) reads Parquet. The file has
no name, so it is gone with its last reader, whatever way the process ends.
"""

from collections.abc import Iterator
from contextlib import closing

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contraview.core.spare_file import spare_file


def spool(tables: Iterator[pa.Table]) -> pl.LazyFrame | None:
    """A lazy scan over all ``tables``, which have one schema; None where there is no table."""
    first = next(tables, None)
    if first is None:
        return None
    with spare_file("the flows, read and laid out") as file:
        with closing(pq.ParquetWriter(file, first.schema, compression="lz4")) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        file.seek(0)
        return pl.scan_parquet(file)  # holds the file by a descriptor of its own
