"""NumPy archives that hold a whole graph: features, edges, perhaps classes."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from contraview.core.errors import InputError

FEATURES = ("features", "x", "feat", "attr")
EDGES = ("edges", "edge_index", "adj")
CLASSES = ("labels", "y")


@dataclass(frozen=True)
class Archive:
    """What an archive holds of a graph; ``edges`` in a form that `read_edges` takes."""

    features: Any
    edges: Any
    classes: np.ndarray | None


def read_archive(path: Path, labels: str | None) -> Archive:
    """Read an .npz file.

    Features are an array [n, d] called ``features`` or ``x``, or a compressed sparse matrix in
    four arrays (``feat_data``, ``feat_indices``, ``feat_indptr``, ``feat_shape``; or ``attr_``).
    Edges are ``edges`` [m, 2], ``edge_index`` [2, m], or ``adj_data`` and its kin. Classes are
    ``labels`` or ``y``, or the array that ``labels`` names. A file of scipy's ``save_npz`` is a
    feature matrix. Nothing is unpickled.

    Raises:
        InputError: damaged, or without features.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            there = set(file.files)
            if {"format", "data", "indices", "indptr", "shape"} <= there:
                return Archive(sparse.load_npz(path), None, None)
            features = _first(file, there, FEATURES)
            edges = _first(file, there, EDGES)
            named = (labels,) if labels else CLASSES
            classes = _first(file, there, named)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read: {said}") from None
    if features is None:
        raise InputError(
            f"{path}: holds {', '.join(sorted(there)) or 'nothing'}; expected an array "
            "'features' or 'x', or a sparse 'feat_data', 'feat_indices', 'feat_indptr', "
            "'feat_shape'"
        )
    if labels and classes is None:
        raise InputError(f"{path}: no array {labels!r}; there are {', '.join(sorted(there))}")
    if isinstance(edges, np.ndarray) and edges.ndim == 2 and edges.shape[0] == 2 != edges.shape[1]:
        edges = edges.T
    return Archive(features, edges, classes)


def _first(file: Any, there: set[str], names: tuple[str, ...]) -> Any:
    """The first of these that is there, as an array or put together as a sparse matrix."""
    for name in names:
        if name in there:
            return file[name]
        parts = [f"{name}_{part}" for part in ("data", "indices", "indptr", "shape")]
        if there.issuperset(parts):
            data, indices, indptr, shape = (file[part] for part in parts)
            return sparse.csr_array((data, indices, indptr), shape=tuple(int(s) for s in shape))
    return None
