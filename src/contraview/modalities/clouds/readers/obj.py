"""Wavefront OBJ: vertices and faces of any number of corners; everything else is passed over."""

import re

import numpy as np
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.modalities.clouds.shape import Shape, fan

_CONTINUED = re.compile(rb"\\[ \t]*\r?\n")
_REST = re.compile(rb"/[^\s]*")


def read_obj(content: bytes, name: str) -> Shape:
    """The surface that an OBJ file describes; a file without faces is a cloud.

    Corners may be ``v``, ``v/vt``, ``v//vn`` or ``v/vt/vn``, and may count from the end (-1 is the
    last vertex so far).

    Raises:
        InputError: a vertex or a corner that is no number, or a corner that is no vertex; the
            line is named.
    """
    lines = _CONTINUED.sub(b" ", content).splitlines()
    numbers = [i for i, line in enumerate(lines) if line[:2] in (b"v ", b"v\t")]
    faces = [i for i, line in enumerate(lines) if line[:2] in (b"f ", b"f\t")]
    if not numbers:
        raise InputError(f"{name}: has no line 'v x y z'; expected a Wavefront OBJ file")
    vertices = _vertices(lines, numbers, name)
    groups = _by_corners(lines, faces, name)
    triangles = [_triangles(lines, numbers, group, name) for group in groups]
    if not triangles:
        return Shape(name, vertices)
    return Shape(name, vertices, np.concatenate(triangles))


def _vertices(lines: list[bytes], numbers: list[int], name: str) -> Float[np.ndarray, "v 3"]:
    """Coordinates of all vertex lines; only where that fails is the line looked for."""
    cells = [lines[i].split()[1:4] for i in numbers]
    try:
        return np.array(cells, dtype=np.float64).reshape(-1, 3)
    except ValueError:
        for i, cell in zip(numbers, cells, strict=True):
            if len(cell) < 3 or not all(map(_is_number, cell)):
                found = lines[i].decode("utf-8", "replace").strip()[:40]
                raise InputError(
                    f"{name}: line {i + 1}: {found!r}; expected 'v' and three numbers"
                ) from None
        raise InputError(f"{name}: a vertex is no three numbers; expected 'v x y z'") from None


def _by_corners(lines: list[bytes], faces: list[int], name: str) -> list[list[int]]:
    """The face lines, those with the same number of corners together.

    One or two corners make no surface, yet modelling programs write them: they are passed over.
    """
    groups: dict[int, list[int]] = {}
    for i in faces:
        groups.setdefault(len(_corners(lines[i])), []).append(i)
    if 0 in groups:
        raise InputError(f"{name}: line {groups[0][0] + 1}: a face without corners")
    return [groups[corners] for corners in sorted(groups) if corners > 2]


def _triangles(
    lines: list[bytes], numbers: list[int], faces: list[int], name: str
) -> Int[np.ndarray, "t 3"]:
    """Faces with the same number of corners as triangles."""
    cells = [_corners(lines[i]) for i in faces]
    try:
        corners = np.array(cells, dtype=np.int64)
    except (ValueError, OverflowError):
        for i, cell in zip(faces, cells, strict=True):
            if not all(re.fullmatch(rb"[+-]?\d{1,18}", each) for each in cell):
                found = lines[i].decode("utf-8", "replace").strip()[:40]
                raise InputError(
                    f"{name}: line {i + 1}: {found!r}; expected 'f' and numbers of vertices"
                ) from None
        raise InputError(f"{name}: a corner is no number; expected 'f' and vertices") from None
    so_far = np.searchsorted(numbers, faces)[:, None]
    rows = np.where(corners < 0, so_far + corners, corners - 1)
    wrong = (rows < 0) | (rows >= len(numbers)) | (corners == 0)
    if wrong.any():
        face, place = np.argwhere(wrong)[0]
        raise InputError(
            f"{name}: line {faces[face] + 1}: corner {corners[face, place]}, but there are "
            f"{len(numbers)} vertices"
        )
    return fan(rows)


def _corners(line: bytes) -> list[bytes]:
    """The vertices that a face line names, without texture and normal."""
    return _REST.sub(b"", line).split()[1:]


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
