"""Points as text: .xyz, .txt, .pts, .asc and .csv, one point a line."""

import re

import numpy as np

from contraview.core.errors import InputError
from contraview.modalities.clouds.shape import Shape

_CUT = re.compile(r"[\s,;]+")


def read_text(content: bytes, name: str) -> Shape:
    """A cloud with x, y, z in the first three columns, or in those that a header calls so.

    Cells are parted by commas, semicolons or white space; lines that begin with # or // are passed
    over, and so is a first line with nothing but the number of points.

    Raises:
        InputError: a line without three numbers; it is named.
    """
    lines = [
        (number, _CUT.split(line.strip().strip(",;")))
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1)
        if line.strip() and not line.lstrip().startswith(("#", "//"))
    ]
    columns = (0, 1, 2)
    if lines:
        first = [cell.strip('"').lower() for cell in lines[0][1]]
        if {"x", "y", "z"} <= set(first):
            columns = (first.index("x"), first.index("y"), first.index("z"))
            lines = lines[1:]
        elif len(first) == 1 and first[0].isdigit():
            lines = lines[1:]
    if not lines:
        raise InputError(f"{name}: holds no points; expected three numbers a line")
    x, y, z = columns
    try:
        points = np.array([(cells[x], cells[y], cells[z]) for _, cells in lines], np.float64)
    except (ValueError, IndexError):
        number, cells = next((n, cells) for n, cells in lines if not _is_point(cells, columns))
        raise InputError(
            f"{name}: line {number}: {' '.join(cells)[:40]!r}; expected three numbers, or a header "
            "with x, y and z on the first line"
        ) from None
    return Shape(name, points)


def _is_point(cells: list[str], columns: tuple[int, ...]) -> bool:
    try:
        [float(cells[column]) for column in columns]
    except (ValueError, IndexError):
        return False
    return True
