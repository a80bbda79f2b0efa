"""GeoTIFF and other TIFF files of any number of bands and any type of number."""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped

from contraview.core.errors import InputError

SUFFIXES: Final = frozenset({".tif", ".tiff"})


def read_geotiff(path: Path) -> Shaped[np.ndarray, "c h w"]:
    """The bands of a file as they are stored; where it lies on Earth is not looked at.

    Raises:
        InputError: tifffile is not installed, the file cannot be read, or it holds no image.
    """
    try:
        from tifffile import TiffFile, TiffFileError
    except ImportError:
        raise InputError(
            f"{path}: bands of a TIFF are read by tifffile: pip install 'contraview[bands]'"
        ) from None
    try:
        with TiffFile(path) as file:
            axes, values = file.series[0].axes, file.series[0].asarray()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a GeoTIFF") from None
    except (TiffFileError, OSError, ValueError, IndexError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as TIFF: {reason}") from None
    if "Y" not in axes or "X" not in axes or values.ndim > 3 or not values.size:
        raise InputError(f"{path}: holds {list(values.shape)} numbers; expected bands of an image")
    return np.moveaxis(np.atleast_3d(values), *_moves(axes))


def _moves(axes: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns to the end, whatever else there is to the front."""
    return (axes.index("Y"), axes.index("X")), (-2, -1)
