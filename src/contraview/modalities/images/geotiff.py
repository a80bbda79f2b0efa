"""GeoTIFF and other TIFF files of any number of bands and any type of number."""

import logging
import lzma
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped

from contraview.core.errors import InputError
from contraview.core.expansion import check_expansion
from contraview.core.reading import first_line

_BROKEN: Final = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What tifffile raises for tags that make no sense."""
SUFFIXES: Final = frozenset({".tif", ".tiff"})


def read_geotiff(path: Path) -> Shaped[np.ndarray, "c h w"]:
    """The bands of a file as they are stored; where it lies on Earth is not looked at.

    Raises:
        InputError: tifffile is not installed, the file cannot be read, or it holds no image.
    """
    try:
        import tifffile
        from tifffile import TiffFile, TiffFileError
    except ImportError:
        raise InputError(
            f"{path}: bands of a TIFF are read by tifffile: pip install 'contraview[bands]'"
        ) from None
    tifffile.logger().setLevel(logging.CRITICAL)  # what is wrong is said by the error
    try:
        _check_directories(path)
        with TiffFile(path) as file:
            series = file.series[0]
            check_expansion(str(path), path.stat().st_size, math.prod(series.shape) * _size(series))
            axes, values = series.axes, series.asarray()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a GeoTIFF") from None
    except (TiffFileError, *_BROKEN) as error:
        raise InputError(f"{path}: cannot be read as TIFF: {first_line(error)}") from None
    if "Y" not in axes or "X" not in axes or values.ndim > 3 or not values.size:
        raise InputError(f"{path}: holds {list(values.shape)} numbers; expected bands of an image")
    return np.moveaxis(np.atleast_3d(values), *_moves(axes))


def _check_directories(path: Path) -> None:
    """Refuse a chain of directories (one an image) that overlap, run in a circle or out of the
    file: tifffile follows one for minutes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(start[:2])
        if order is None or len(start) < 16:
            raise ValueError("no TIFF")
        big = struct.unpack(f"{order}H", start[2:4])[0] == 43
        count_form, next_form, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
        at = struct.unpack_from(f"{order}{next_form}", start, 8 if big else 4)[0]
        room = size
        while at:
            file.seek(at)
            width = struct.calcsize(count_form)
            (entries,) = struct.unpack(f"{order}{count_form}", file.read(width))
            room -= width + entry * entries
            if room < 0:
                raise ValueError("its directories take more room than the file has")
            file.seek(at + width + entry * entries)
            following = file.read(struct.calcsize(next_form))
            at = struct.unpack(f"{order}{next_form}", following)[0]


def _size(series: Any) -> int:
    """Bytes of a number."""
    return 8 if series.dtype is None else series.dtype.itemsize


def _moves(axes: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns to the end, whatever else there is to the front."""
    return (axes.index("Y"), axes.index("X")), (-2, -1)
