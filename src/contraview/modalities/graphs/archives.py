"""NumPy archives that hold a whole graph: features, edges, perhaps classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contraview.core.errors import InputError
from contraview.core.numpy_files import read_npz, sparse_in, sparse_of

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
    there = read_npz(path, str(path))
    if {"format", "data", "indices", "indptr", "shape"} <= there.keys():
        return Archive(sparse_in(there, str(path)), None, None)
    features = _first(there, FEATURES, str(path))
    edges = _first(there, EDGES, str(path))
    classes = _first(there, (labels,) if labels else CLASSES, str(path))
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


def _first(there: Mapping[str, np.ndarray], names: tuple[str, ...], path: str) -> Any:
    """The first of these that is there, as an array or put together as a sparse matrix."""
    for name in names:
        if name in there:
            return there[name]
        parts = {part: f"{name}_{part}" for part in ("data", "indices", "indptr", "shape")}
        if there.keys() >= set(parts.values()):
            arrays = {part: there[called] for part, called in parts.items()}
            return sparse_of(arrays, f"{path}: {name}")
    return None
