"""PLY, text and binary of either byte order: the points of a scan, or the faces of a mesh."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from contraview.core.errors import InputError
from contraview.modalities.clouds.shape import Shape, fan

_TYPES: Final = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS: Final = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_BEYOND: Final = 1 << 62
"""No file has so many vertices."""
_CORNERS: Final = ("vertex_indices", "vertex_index")


@dataclass
class _Element:
    """A table of the file: its rows, its columns; a list's type is (of its length, of a cell)."""

    name: str
    rows: int
    columns: dict[str, str | tuple[str, str]] = field(default_factory=dict)


def read_ply(content: bytes, name: str) -> Shape:
    """The cloud or the surface that a PLY file holds; other elements and columns are passed over.

    Raises:
        InputError: no PLY file, a header line that is not understood, no x, y and z, data cut
            short, or a face that names no vertex; the line of a text file is named.
    """
    order, elements, start, line = _header(content, name)
    read = _Text(content[start:], line, name) if not order else _Binary(content, start, order, name)
    vertices, triangles = None, np.empty((0, 3), np.int64)
    for element in elements:
        rows = read.table(element)
        if element.name == "vertex":
            missing = [axis for axis in "xyz" if axis not in rows]
            if missing:
                raise InputError(f"{name}: its vertices have no {missing[0]!r}; expected x, y, z")
            vertices = np.stack([np.asarray(rows[axis], np.float64) for axis in "xyz"], axis=1)
        elif element.name == "face":
            column = next((c for c in _CORNERS if c in rows), None)
            if column is not None and element.rows:
                triangles = _triangles(rows[column], name)
    if vertices is None:
        raise InputError(f"{name}: has no element 'vertex'; expected a cloud or a mesh")
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise InputError(
            f"{name}: a face names vertex {triangles.max()}, but there are {len(vertices)}"
        )
    return Shape(name, vertices, triangles)


def _header(content: bytes, name: str) -> tuple[str, list[_Element], int, int]:
    """Byte order (empty for text), elements, where the data begin, and the lines before them."""
    head, found, _ = content.partition(b"end_header")
    if not content.startswith(b"ply") or not found:
        raise InputError(f"{name}: line 1: expected 'ply' and a header")
    start = content.index(b"\n", len(head)) + 1 if b"\n" in content[len(head) :] else len(content)
    lines = head.decode("ascii", "replace").splitlines()
    order, elements = None, []
    for number, line in enumerate(lines, 1):
        match line.split():
            case ["format", kind, _] if kind in _ORDERS:
                order = _ORDERS[kind]
            case ["element", element, rows] if rows.isdigit():
                elements.append(_Element(element, int(rows)))
            case ["property", "list", count, cell, column] if (
                elements and count in _TYPES and cell in _TYPES
            ):
                elements[-1].columns[column] = (_TYPES[count], _TYPES[cell])
            case ["property", cell, column] if elements and cell in _TYPES:
                elements[-1].columns[column] = _TYPES[cell]
            case ["ply"] | [] | ["comment", *_] | ["obj_info", *_]:
                pass
            case _:
                raise InputError(f"{name}: line {number}: {line[:40]!r} is no line of a PLY header")
    if order is None:
        raise InputError(f"{name}: its header has no line 'format ascii 1.0' or the like")
    return order, elements, start, len(lines) + 1


class _Text:
    def __init__(self, content: bytes, line: int, name: str) -> None:
        self.lines, self.line, self.name = iter(content.splitlines()), line, name

    def table(self, element: _Element) -> dict[str, Any]:
        """Columns by name; a list column is a list of rows."""
        table: dict[str, list[Any]] = {column: [] for column in element.columns}
        for row in range(element.rows):
            self.line += 1
            cells = next(self.lines, None)
            if cells is None:
                raise InputError(
                    f"{self.name}: ends at line {self.line - 1}, after {row} of {element.rows} "
                    f"rows of {element.name!r}"
                )
            self._row(element, cells.split(), table)
        return table

    def _row(self, element: _Element, cells: list[bytes], table: dict[str, list[Any]]) -> None:
        place = 0
        try:
            for column, kind in element.columns.items():
                if isinstance(kind, tuple):
                    count = int(cells[place])
                    row = [int(float(cell)) for cell in cells[place + 1 : place + 1 + count]]
                    if len(row) < count or any(abs(cell) >= _BEYOND for cell in row):
                        raise IndexError
                    table[column].append(row)
                    place += 1 + count
                else:
                    table[column].append(float(cells[place]))
                    place += 1
        except (ValueError, IndexError, OverflowError):
            raise InputError(
                f"{self.name}: line {self.line}: expected a row of {element.name!r}: "
                f"{', '.join(element.columns)}"
            ) from None


@dataclass
class _Binary:
    content: bytes
    place: int
    order: str
    name: str

    def table(self, element: _Element) -> dict[str, Any]:
        """Columns by name; a list column is an array of rows, or a list where lengths differ."""
        kinds = element.columns
        if not any(isinstance(kind, tuple) for kind in kinds.values()):
            return self._rows(element, [(c, f"{self.order}{k}") for c, k in kinds.items()])
        return self._even(element) or self._uneven(element)

    def _rows(self, element: _Element, layout: list[Any]) -> dict[str, Any]:
        kind = np.dtype(layout)
        size = kind.itemsize * element.rows
        self._need(size, element)
        table = np.frombuffer(self.content, kind, element.rows, self.place)
        self.place += size
        return {column: table[column] for column in element.columns}

    def _even(self, element: _Element) -> dict[str, Any] | None:
        """The rows as one array where each list is as long as in the first row."""
        if not element.rows:
            return {column: [] for column in element.columns}
        layout: list[Any] = []
        place = self.place
        for column, kind in element.columns.items():
            if isinstance(kind, tuple):
                count = self._count(kind[0], place, element)
                layout += [(f"{column} count", self.order + kind[0])]
                layout += [(column, self.order + kind[1], (count,))]
            else:
                layout += [(column, self.order + kind)]
            place = self.place + np.dtype(layout).itemsize
        if self.place + np.dtype(layout).itemsize * element.rows > len(self.content):
            return None
        table = np.frombuffer(self.content, np.dtype(layout), element.rows, self.place)
        for entry in layout:
            if entry[0].endswith(" count") and (table[entry[0]] != table[entry[0]][0]).any():
                return None
        self.place += table.nbytes
        return {column: table[column] for column in element.columns}

    def _uneven(self, element: _Element) -> dict[str, Any]:
        table: dict[str, list[Any]] = {column: [] for column in element.columns}
        for _ in range(element.rows):
            for column, kind in element.columns.items():
                if isinstance(kind, tuple):
                    count = self._count(kind[0], self.place, element)
                    self.place += np.dtype(kind[0]).itemsize
                    size = count * np.dtype(kind[1]).itemsize
                    self._need(size, element)
                    cells = np.frombuffer(self.content, self.order + kind[1], count, self.place)
                    table[column].append(cells)
                    self.place += size
                else:
                    table[column].append(self._one(kind, self.place, element))
                    self.place += np.dtype(kind).itemsize
        return table

    def _one(self, kind: str, place: int, element: _Element) -> int | float:
        self._need(np.dtype(kind).itemsize + place - self.place, element)
        return np.frombuffer(self.content, self.order + kind, 1, place)[0].item()

    def _count(self, kind: str, place: int, element: _Element) -> int:
        """How long a list is; no longer than what is left of the file."""
        count = self._one(kind, place, element)
        if not 0 <= count <= len(self.content) or count != int(count):
            raise InputError(
                f"{self.name}: byte {place}: a list of {count:g} in {element.name!r}; expected a "
                "whole number that the file has room for"
            )
        return int(count)

    def _need(self, size: int, element: _Element) -> None:
        if self.place + size > len(self.content):
            raise InputError(
                f"{self.name}: ends at byte {len(self.content)}, within the {element.rows} rows of "
                f"{element.name!r}"
            )


def _triangles(rows: Any, name: str) -> Int[np.ndarray, "t 3"]:
    """Faces as triangles; faces of one or two corners make no surface and are passed over."""
    if np.ndim(rows[0]) != 1:
        raise InputError(f"{name}: its faces are numbers; expected lists of vertices")
    lengths = np.array([len(row) for row in rows])
    parts = []
    for corners in np.unique(lengths[lengths > 2]):
        faces = np.array([rows[i] for i in np.flatnonzero(lengths == corners)])
        if not (np.isfinite(faces) & (np.abs(faces.astype(np.float64)) < _BEYOND)).all():
            raise InputError(f"{name}: a face names no vertex; expected whole numbers")
        parts.append(fan(faces.astype(np.int64)))
    return np.concatenate(parts) if parts else np.empty((0, 3), np.int64)
