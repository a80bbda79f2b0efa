"""From what a person names (paths, globs, tables) to the reader for it."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.readers.blocks import TextFile
from contraview.modalities.flows.readers.capture import is_capture, read_capture
from contraview.modalities.flows.readers.delimited import read_delimited
from contraview.modalities.flows.readers.json_lines import read_json_lines
from contraview.modalities.flows.readers.parquet import MAGIC, read_parquet
from contraview.modalities.flows.readers.raw import Raw

_NO_TEXT: Final = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"\xff\xfe": "UTF-16 text; expected UTF-8",
    b"\xfe\xff": "UTF-16 text; expected UTF-8",
    MAGIC: "Parquet within gzip; unpack it first",
}


def read_raw(source: Any, mode: str) -> list[Raw]:
    """Every part of ``source``, in order: a path, a glob, a table, or several of these.

    Raises:
        InputError: something named is not there, is empty, or is no flow record source.
    """
    if isinstance(source, (str, Path)):
        return [read_file(path, mode) for path in _paths(str(source))]
    if isinstance(source, pl.LazyFrame):
        return [Raw("table", source.rename(str.strip))]
    if isinstance(source, pl.DataFrame):
        return read_raw(source.lazy(), mode)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return read_raw(pl.from_pandas(source.rename(columns=str)), mode)
    if isinstance(source, Sequence) and source:
        return [raw for part in source for raw in read_raw(part, mode)]
    raise InputError(
        f"{type(source).__name__}: no source of flows; expected a path, a glob, a DataFrame"
    )


def read_file(path: Path, mode: str) -> Raw:
    """One file, by what its first bytes say it is."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == MAGIC:
            return read_parquet(path)
        text = TextFile(path)
        inflated = text.magic()
        if is_capture(inflated):
            return read_capture(path, mode)
        for magic, what in _NO_TEXT.items():
            if inflated.startswith(magic):
                raise InputError(f"{path}: is {what}")
        head = text.head()
        if not head.strip():
            raise InputError(f"{path}: is empty; expected flow records")
        if b"\0" in head:
            raise InputError(
                f"{path}: is no text; expected a capture, a log, CSV or Parquet (plain or gzip)"
            )
        if head.lstrip()[:1] in (b"{", b"["):
            return read_json_lines(text)
        return read_delimited(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _paths(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file or a glob such as '{path}/*.csv'")
    if path.is_file():
        return [path]
    if path.exists():
        raise InputError(f"{path}: is no regular file; expected one")
    if any(sign in source for sign in "*?["):
        # Path.glob takes no absolute pattern.
        found = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        files = [path for path in found if path.is_file()]
        if files:
            return files
        raise InputError(f"{source}: no file of this form")
    raise InputError(f"{path}: no such file")
