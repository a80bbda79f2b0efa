"""Files with text: lines, CSV, TSV, Parquet; each fault one line that says where."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.core.expansion import inflated
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import PANIC, first_line

TABLES: Final = {".csv": ",", ".tsv": "\t"}
PARQUET: Final = b"PAR1"
GZIP: Final = b"\x1f\x8b"


def read_files(sources: Sequence[str | Path]) -> tuple[str, pl.DataFrame]:
    """The name of the first file, and all files as one table.

    Raises:
        InputError: a file is missing, cannot be understood, or has other columns than the first.
    """
    paths = [path for source in sources for path in _paths(str(source))]
    tables = [_read(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if table.schema != tables[0].schema:
            raise InputError(
                f"{path}: has columns {_schema(table)}, but {paths[0]} has {_schema(tables[0])}"
            )
    return str(paths[0]), pl.concat(tables)


def _schema(table: pl.DataFrame) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in table.schema.items())


def _paths(source: str) -> list[Path]:
    if not source:
        raise InputError("no file named; expected text lines, CSV, TSV or Parquet")
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file or a glob such as '{path}/*.txt'")
    if any(sign in source for sign in "*?["):
        # Path.glob takes no absolute pattern.
        found = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        if files := [each for each in found if each.is_file()]:
            return files
        raise InputError(f"{source}: no file of this form")
    raise InputError(f"{path}: no such file")


def _read(path: Path) -> pl.DataFrame:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        content = path.read_bytes()
        if content.startswith(PARQUET):
            return read_parquet(content, str(path))
        if content.startswith(GZIP):
            content = inflated(content, str(path))
        text = _decoded(path, content)
        if suffix not in TABLES:
            lines = [line.strip() for line in text.split("\n")]
            return pl.DataFrame({"text": [line for line in lines if line]}, {"text": pl.String})
        return pl.read_csv(
            text.encode(), separator=TABLES[suffix], infer_schema_length=None, null_values=[""]
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except pl.exceptions.NoDataError:
        raise InputError(f"{path}: is empty; expected a line of column names, then rows") from None
    except (pl.exceptions.PolarsError, PANIC) as error:
        raise InputError(f"{path}: is no table ({first_line(error)})") from None


def _decoded(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line} is not UTF-8 text") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}: line {line} holds a zero byte; expected text")
    return text
