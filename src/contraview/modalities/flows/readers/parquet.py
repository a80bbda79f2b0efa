"""Parquet, scanned lazily."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.core.parquet_files import check_parquet
from contraview.core.reading import PANIC, first_line
from contraview.modalities.flows.readers.raw import Raw

MAGIC: Final = b"PAR1"
KIND_KEY: Final = "contraview.kind"
"""The key of the file's own metadata under which it may name its kind of flow record."""


def read_parquet(path: Path) -> Raw:
    """A Parquet file; its metadata may say which kind of flow records it holds."""
    with path.open("rb") as file:
        file.seek(-len(MAGIC), 2)
        ends_well = file.read() == MAGIC
    if not ends_well:
        raise InputError(f"{path}: is cut short: a Parquet file ends with PAR1; copy it again")
    check_parquet(path, str(path))
    with reading(str(path)):
        kind = pl.read_parquet_metadata(path).get(KIND_KEY)
        # Absolute: another process that reads it may stand in another folder.
        cells = pl.scan_parquet(path.absolute(), glob=False)
        cells.collect_schema()
    return Raw(str(path), cells, kind=kind)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Within it, data that cannot be decoded (a damaged page, say) is the user's wrong input."""
    try:
        yield
    except (pl.exceptions.ComputeError, PANIC, OSError) as error:
        raise InputError(f"{name}: cannot be read: {first_line(error)}") from None
