"""OFF, the format of ModelNet: counts, vertices, faces of any number of corners."""

import numpy as np

from contraview.core.errors import InputError
from contraview.modalities.clouds.shape import Shape, fan


def read_off(content: bytes, name: str) -> Shape:
    """The surface that an OFF file describes.

    The counts may follow the word OFF without a space, as in some files of ModelNet.

    Raises:
        InputError: no OFF file, cut short, or a cell that is no number; the line is named.
    """
    rows = [
        (number, line.split(b"#")[0].split()) for number, line in enumerate(content.splitlines(), 1)
    ]
    rows = [(number, cells) for number, cells in rows if cells]
    if not rows or not rows[0][1][0].startswith(b"OFF"):
        raise InputError(f"{name}: line 1: expected the word OFF")
    number, first = rows[0]
    head = [cell for cell in (first[0][3:], *first[1:]) if cell]
    body = rows[1:]
    if not head and body:
        (number, head), body = body[0], body[1:]
    vertices, faces = _integers(head, number, name, 2)[:2]
    if len(body) < vertices + faces:
        raise InputError(
            f"{name}: has {len(body)} lines of data; expected {vertices} vertices and {faces} faces"
        )
    points = np.array(
        [_numbers(cells, at, name) for at, cells in body[:vertices]], np.float64
    ).reshape(-1, 3)
    triangles = []
    for at, cells in body[vertices : vertices + faces]:
        count = _integers(cells, at, name, 1)[0]
        corners = _integers(cells[1 : 1 + count], at, name, max(count, 1))
        if min(corners) < 0 or max(corners) >= vertices:
            raise InputError(
                f"{name}: line {at}: corner {max(corners)}, but there are {vertices} vertices"
            )
        if count > 2:
            triangles.append(fan(np.array([corners])))
    if not triangles:
        return Shape(name, points)
    return Shape(name, points, np.concatenate(triangles))


def _numbers(cells: list[bytes], line: int, name: str) -> list[float]:
    try:
        x, y, z = (float(cell) for cell in cells[:3])
    except ValueError:
        raise InputError(f"{name}: line {line}: expected three numbers") from None
    return [x, y, z]


def _integers(cells: list[bytes], line: int, name: str, least: int) -> list[int]:
    try:
        values = [int(cell) for cell in cells]
    except ValueError:
        raise InputError(f"{name}: line {line}: expected whole numbers") from None
    if len(values) < least:
        raise InputError(f"{name}: line {line}: {len(values)} numbers; expected at least {least}")
    return values
