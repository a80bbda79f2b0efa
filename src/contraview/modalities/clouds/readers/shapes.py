"""From whatever a person has to shapes: files, folders, globs, tables of files, arrays."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from contraview.core.errors import InputError
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import reading
from contraview.modalities.clouds.readers.arrays import from_array, read_npy, read_npz
from contraview.modalities.clouds.readers.catalogue import read_catalogue
from contraview.modalities.clouds.readers.obj import read_obj
from contraview.modalities.clouds.readers.off import read_off
from contraview.modalities.clouds.readers.ply import read_ply
from contraview.modalities.clouds.readers.text import read_text
from contraview.modalities.clouds.shape import Shape

READERS: Final[dict[str, Callable[[bytes, str], Shape | list[Shape]]]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".npy": read_npy,
    ".npz": read_npz,
    ".xyz": read_text,
    ".pts": read_text,
    ".asc": read_text,
    ".txt": read_text,
    ".csv": read_text,
    ".sh3f": read_catalogue,
}
FILE_COLUMNS: Final = ("file", "path")
"""A table with one of these columns lists files; its other columns say something of each."""


def read_shapes(source: Any) -> Iterator[Shape]:
    """The objects of a path, a folder, a glob, an array, a table of files, or several of these.

    Raises:
        InputError: nothing there, not understood, or damaged; the file and its line are named.
    """
    if isinstance(source, str | Path):
        yield from _at(source)
    elif isinstance(source, np.ndarray):
        yield from from_array(source, "array")
    elif isinstance(source, pl.DataFrame):
        yield from _listed(source, Path(), "table")
    elif type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        yield from _listed(pl.from_dict(source.to_dict("list")), Path(), "table")
    elif isinstance(source, Iterable):
        for i, each in enumerate(source):
            named = isinstance(each, np.ndarray)
            yield from from_array(each, f"array {i}") if named else read_shapes(each)
    else:
        raise InputError(
            f"a {type(source).__name__} is no point cloud; expected a path, a folder, arrays "
            "[points, 3] or a table with a column 'file'"
        )


def _at(source: str | Path) -> Iterator[Shape]:
    text, path = str(source), Path(source)
    if text and path.is_dir():
        yield from _in_folder(path)
    elif text and path.is_file():
        yield from _in_file(path)
    else:
        found = sorted(glob.glob(text, recursive=True)) if text else []  # noqa: PTH207 any anchor
        if not found:
            raise InputError(f"{text!r}: no such file or folder")
        for each in found:
            yield from _at(each)


def _in_folder(folder: Path) -> Iterator[Shape]:
    """Every cloud below a folder; the first folder below it is its class, as in ModelNet."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in READERS and p.is_file())
    if not files:
        raise InputError(f"{folder}: holds no point clouds; expected {', '.join(READERS)}")
    for file in files:
        within = file.relative_to(folder).parts
        for shape in _in_file(file):
            if len(within) > 1:
                shape.facts["folder"] = within[0]
            yield shape


def _in_file(path: Path) -> Iterator[Shape]:
    suffix = path.suffix.lower()
    if suffix == ".parquet" or (suffix == ".csv" and _is_list(path)):
        if suffix == ".parquet":
            table = read_parquet(path, str(path))
        else:
            with reading(str(path)):
                table = pl.read_csv(path)
        yield from _listed(table, path.parent, str(path))
        return
    if suffix not in READERS:
        raise InputError(f"{path}: expected a name that ends in {', '.join(READERS)}")
    read = READERS[suffix](_content(path), str(path))
    yield from [read] if isinstance(read, Shape) else read


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _is_list(path: Path) -> bool:
    head = _content(path).split(b"\n", 1)[0].decode("utf-8", "replace")
    return any(cell.strip().strip('"').lower() in FILE_COLUMNS for cell in head.split(","))


def _listed(table: pl.DataFrame, folder: Path, name: str) -> Iterator[Shape]:
    """The clouds in the files that a table lists, with the other columns as facts."""
    column = next((c for c in table.columns if c.lower() in FILE_COLUMNS), None)
    if column is None:
        raise InputError(f"{name}: has no column 'file'; expected one that lists files of clouds")
    others = [c for c in table.columns if c != column]
    for number, row in enumerate(table.iter_rows(named=True), 1):
        path = folder / str(row[column])
        if not os.path.isfile(path):  # noqa: PTH113 a name no file can have is none either
            raise InputError(f"{name}: row {number}: {path}: no such file")
        for shape in _in_file(path):
            shape.facts.update({c: "" if row[c] is None else str(row[c]) for c in others})
            yield shape
