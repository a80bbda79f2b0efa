"""Node tables: one row a node, its features, perhaps its name and its class."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Float32, Shaped
from scipy import sparse

from contraview.core.errors import InputError
from contraview.core.numpy_files import dense_of
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import reading

_LABEL: Final = re.compile(r"^(labels?|class|target|y)$|(^|[ _.-])label$")


@dataclass(frozen=True)
class Nodes:
    """Features of the nodes, what the columns are called, and what else the table says."""

    features: Float32[np.ndarray, "n d"]
    columns: tuple[str, ...]
    ids: tuple[str, ...] | None = None
    classes: Shaped[np.ndarray, " n"] | None = None


def read_table(path: Path) -> pl.DataFrame:
    """A CSV, TSV or Parquet file with named columns."""
    if path.suffix == ".parquet":
        return read_parquet(path, str(path))
    separator = "\t" if path.suffix in (".tsv", ".tab") else ","
    with reading(str(path)):
        return pl.read_csv(path, separator=separator, infer_schema_length=None)


def nodes_of_table(
    table: pl.DataFrame, name: str, *, ids: str | None, labels: str | None, drop: tuple[str, ...]
) -> Nodes:
    """The nodes of a table whose other columns are all numbers.

    Raises:
        InputError: a named column is missing, a column looks like a class and is not named, a
            cell is no finite number, or a node's name comes twice.
    """
    for column in (*filter(None, (ids, labels)), *drop):
        if column not in table.columns:
            raise InputError(f"{name}: no column {column!r}; there are {_some(table.columns)}")
    rest = table.drop({*filter(None, (ids, labels)), *drop})
    for column in rest.columns:
        if _LABEL.search(column.lower()):
            raise InputError(
                f"{name}: column {column!r} looks like the class of a node; name it with labels "
                "or drop"
            )
    numbers = [_number(rest[column], name) for column in rest.columns]
    features = np.stack(numbers, axis=1) if numbers else np.empty((table.height, 0), np.float32)
    return Nodes(
        features=checked(features, name, tuple(rest.columns)),
        columns=tuple(rest.columns),
        ids=None if ids is None else _ids(table[ids], name),
        classes=None if labels is None else _classes(table[labels]),
    )


def nodes_of_array(features: Any, name: str, classes: np.ndarray | None = None) -> Nodes:
    """The nodes of a matrix [n, d], dense or sparse; its columns have no names."""
    array = dense_of(features, name) if sparse.issparse(features) else np.asarray(features)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InputError(
            f"{name}: an array of {array.dtype} and shape {array.shape}; expected numbers, one "
            "row a node"
        )
    if classes is not None and classes.shape != (len(array),):
        raise InputError(
            f"{name}: classes of shape {classes.shape} for {len(array)} nodes; expected one a node"
        )
    return Nodes(checked(array.astype(np.float32), name, ()), (), None, classes)


def checked(
    features: Float32[np.ndarray, "n d"], name: str, columns: tuple[str, ...]
) -> Float32[np.ndarray, "n d"]:
    """The features as they are; an `InputError` where there is nothing, or no finite number."""
    if not features.size:
        raise InputError(f"{name}: no features; expected one row a node and columns of numbers")
    wrong = ~np.isfinite(features)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        called = repr(columns[column]) if columns else str(column)
        raise InputError(
            f"{name}: column {called}, row {row + 1}: {features[row, column]}; expected a finite "
            "number"
        )
    return features


def _number(column: pl.Series, name: str) -> np.ndarray:
    numbers = column.cast(pl.Float32, strict=False)
    wrong = numbers.is_null()
    if wrong.any():
        row = wrong.arg_max() or 0
        cell = "empty" if column[row] is None else f"{str(column[row])[:40]!r} is no number"
        raise InputError(
            f"{name}: column {column.name!r}, row {row + 1}: {cell}; expected a number (name a "
            "column of names with id, of classes with labels, leave others out with drop)"
        )
    return numbers.to_numpy()


def _ids(column: pl.Series, name: str) -> tuple[str, ...]:
    names = column.cast(pl.String)
    wrong = names.is_null() | ~names.is_first_distinct()
    if wrong.any():
        row = wrong.arg_max() or 0
        raise InputError(
            f"{name}: column {column.name!r}, row {row + 1}: {names[row]!r} names no node, or "
            "another one already; expected a name of its own for each node"
        )
    return tuple(names.to_list())


def _classes(column: pl.Series) -> np.ndarray:
    wide = column.dtype in (pl.Int128, pl.UInt128)  # NumPy has none so wide
    if column.dtype.is_integer() and not wide and not column.null_count():
        return column.to_numpy()
    return column.cast(pl.String).fill_null("").to_numpy().astype(np.str_)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
