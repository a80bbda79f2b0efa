"""Edge lists: which two nodes belong together, perhaps how strongly."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from contraview.core.errors import InputError
from contraview.core.numpy_files import read_npy, read_npz, sparse_in
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import PANIC, first_line
from contraview.modalities.graphs.adjacency import Sparse, undirected

EXPECTED = "two columns (from, to), or three with a weight"


@dataclass(frozen=True)
class Edges:
    """The adjacency that an edge list gives, and what was noticed on the way."""

    adjacency: Sparse
    notes: tuple[str, ...]


def read_edges(source: Any, ids: Sequence[str] | None, nodes: int) -> Edges:
    """Read the edges among ``nodes`` nodes.

    Args:
        source: a file (CSV, TSV, space-separated with or without a header line, Parquet, .npy
            with two columns, scipy's sparse .npz), a table, an array [m, 2] or [m, 3], or a
            scipy matrix [n, n].
        ids: the nodes' names, in the order of the node table; None where edges count from 0.
        nodes: how many there are.

    Raises:
        InputError: unreadable, a node that does not exist, a weight that is no positive number,
            or a matrix of another size.
    """
    name = str(source) if isinstance(source, str | Path) else "edges"
    if isinstance(source, str | Path):
        source = _file(Path(source))
    if sparse.issparse(source):
        return _matrix(source, name, nodes)
    cells, notes = _cells(source, name), []
    pairs = _numbers(cells[:, :2], ids, nodes)
    if isinstance(source, Text) and len(pairs) and (pairs[0] < 0).all() and cells.height > 1:
        # Neither end of the first line is a node: it names the columns.
        notes.append(f"{name}: first line {', '.join(map(str, cells.row(0)))!r} taken as a header")
        cells, pairs = cells[1:], pairs[1:]
    if (pairs < 0).any():
        edge, end = np.argwhere(pairs < 0)[0]
        raise InputError(
            f"{name}: edge {edge + 1}: {_stranger(cells[int(edge), int(end)], ids, nodes)}"
        )
    weights = _weights(cells, name) if cells.width == 3 else None
    return _noticed(undirected(nodes, pairs, weights), pairs, name, notes)


@dataclass(frozen=True)
class Text:
    """Cells of a text file, of which the first line may be a header."""

    cells: pl.DataFrame


def _file(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an edge list")
    if path.suffix == ".parquet":
        return read_parquet(path, str(path))
    if path.suffix == ".npy":
        return read_npy(path, str(path))
    if path.suffix == ".npz":
        return sparse_in(read_npz(path, str(path)), str(path))
    try:
        return Text(_lines(path))
    except (pl.exceptions.PolarsError, PANIC, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as an edge list: {first_line(error)}") from None


def _lines(path: Path) -> pl.DataFrame:
    mark, first = "#", ""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line[0] in "#%":
                mark = line[0]
            elif line.strip():
                first = line
                break
    separator = next((each for each in "\t,;" if each in first), " ")
    return pl.read_csv(
        path, separator=separator, has_header=False, infer_schema=False, comment_prefix=mark
    ).select(pl.all().str.strip_chars())


def _cells(source: Any, name: str) -> pl.DataFrame:
    if isinstance(source, Text):
        source = source.cells
    elif type(source).__module__.startswith("pandas"):
        source = pl.from_pandas(source)
    elif not isinstance(source, pl.DataFrame):
        array = np.asarray(source)
        if array.ndim != 2 or array.dtype.kind not in "iufUO":
            raise InputError(f"{name}: an array of shape {array.shape}; expected {EXPECTED}")
        source = pl.DataFrame(array, orient="row") if array.size else pl.DataFrame([[], []])
    if source.width not in (2, 3):
        raise InputError(f"{name}: {source.width} columns; expected {EXPECTED}")
    return source


def _numbers(ends: pl.DataFrame, ids: Sequence[str] | None, nodes: int) -> np.ndarray:
    """The node numbers of the edges' ends, -1 where there is no such node."""
    if ids is None:
        whole = [each.cast(pl.Float64, strict=False) for each in ends]
        known = [each.is_between(0, nodes - 1) & (each == each.floor()) for each in whole]
        found = [
            pl.select(pl.when(k).then(w)).to_series() for k, w in zip(known, whole, strict=True)
        ]
    else:
        place = {name: i for i, name in enumerate(ids)}
        found = [
            each.cast(pl.String).replace_strict(place, default=None, return_dtype=pl.Int64)
            for each in ends
        ]
    return np.stack([each.fill_null(-1).to_numpy().astype(np.int64) for each in found], axis=1)


def _stranger(cell: Any, ids: Sequence[str] | None, nodes: int) -> str:
    if cell is None:
        return "an end is missing"
    if ids is not None:
        return f"{str(cell)[:40]!r} is not among the {nodes:,} nodes"
    if re.fullmatch(r"-?\d+(\.0*)?", str(cell)):
        return f"node {cell}; expected a number from 0 to {nodes - 1}"
    return f"{str(cell)[:40]!r} is no node number; name the column with the nodes' names with --id"


def _weights(cells: pl.DataFrame, name: str) -> np.ndarray:
    column = cells.to_series(2)
    weights = column.cast(pl.Float64, strict=False)
    wrong = ~(weights.is_finite() & (weights > 0)).fill_null(False)
    if wrong.any():
        edge = wrong.arg_max() or 0
        raise InputError(
            f"{name}: edge {edge + 1}: weight {str(column[edge])[:40]!r}; "
            "expected a number above zero"
        )
    return weights.to_numpy()


def _matrix(matrix: Any, name: str, nodes: int) -> Edges:
    if matrix.shape != (nodes, nodes):
        raise InputError(f"{name}: a matrix of {matrix.shape}; expected {nodes} x {nodes}")
    entries = sparse.coo_array(matrix)
    filled = entries.data != 0
    values = entries.data[filled].astype(np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        raise InputError(f"{name}: holds a weight that is not a number above zero")
    pairs = np.stack([entries.row[filled], entries.col[filled]], axis=1).astype(np.int64)
    return _noticed(undirected(nodes, pairs, values), pairs, name, [])


def _noticed(adjacency: Sparse, pairs: np.ndarray, name: str, notes: list[str]) -> Edges:
    loops = int((pairs[:, 0] == pairs[:, 1]).sum())
    repeated = len(pairs) - loops - adjacency.nnz // 2
    alone = int((np.diff(adjacency.indptr) == 0).sum())
    notes += [f"{name}: {loops:,} self-loops left out"] if loops else []
    notes += [f"{name}: {repeated:,} repeated or reversed edges counted once"] if repeated else []
    notes += [f"{name}: {alone:,} nodes have no edge"] if alone else []
    return Edges(adjacency, tuple(notes))
