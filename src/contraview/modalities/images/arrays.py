"""Images that come as arrays: NumPy and torch arrays, npz archives, IDX files."""

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped, UInt8

from contraview.core import numpy_files
from contraview.core.errors import InputError
from contraview.core.expansion import inflated

CHANNELS: Final = (1, 3, 4)
_MOST_AXES: Final = 8
_IDX_TYPES: Final = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def is_array(source: Any) -> bool:
    """Whether it is a NumPy array or a torch tensor."""
    return isinstance(source, np.ndarray) or type(source).__module__.partition(".")[0] == "torch"


def pixels_of(array: Any, where: str) -> UInt8[np.ndarray, "n c h w"]:
    """An array as 8-bit images, one channel or three; a fourth, transparency, is laid on white.

    Args:
        array: [n, h, w], [n, h, w, c] or [n, c, h, w]; whole numbers 0 to 255, fractions 0 to 1.
        where: what to call it in errors.
    """
    values = np.asarray(array)
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[3] in CHANNELS:
        values = values.transpose(0, 3, 1, 2)
    if values.ndim != 4 or values.shape[1] not in CHANNELS or not values.size:
        raise InputError(
            f"{where}: an array of shape {list(np.shape(array))}; expected images as [n, h, w], "
            "[n, h, w, c] or [n, c, h, w] with 1, 3 or 4 channels"
        )
    values = _eight_bits(values, where)
    if values.shape[1] < 4:
        return values
    colour, alpha = values[:, :3].astype(np.uint16), values[:, 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def _eight_bits(values: Shaped[np.ndarray, "n c h w"], where: str) -> UInt8[np.ndarray, "n c h w"]:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "buif":
        raise InputError(f"{where}: an array of {values.dtype}; expected numbers")
    fractions = values.dtype.kind in "bf"
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= (1 if fractions else 255)):
        raise InputError(
            f"{where}: values from {low} to {high}; expected fractions from 0 to 1, or whole "
            "numbers from 0 to 255"
        )
    if fractions:
        values = np.rint(values.astype(np.float32) * 255)
    return values.astype(np.uint8)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The named arrays of an npz archive; nothing pickled is ever loaded."""
    return numpy_files.read_npz(path, str(path))


def images_among(
    arrays: Mapping[str, Any], named: str | None, masks: str | None, where: str
) -> str:
    """The array of the images: the one named, or the only one that could be, masks apart."""
    if named is not None:
        if named not in arrays:
            raise InputError(f"{where}: no array {named!r}; there are {', '.join(arrays)}")
        return named
    pictures = [name for name, array in arrays.items() if np.ndim(array) in (3, 4)]
    pictures = [name for name in pictures if name != masks]
    if len(pictures) == 1:
        return pictures[0]
    found = ", ".join(pictures) or "none"
    raise InputError(
        f"{where}: arrays that could be images: {found}; expected one, or its name with --images"
    )


def columns_among(arrays: Mapping[str, Any], images: str) -> dict[str, np.ndarray]:
    """The arrays with one number or text an image, by name."""
    rows = len(arrays[images])
    return {
        name: np.asarray(array)
        for name, array in arrays.items()
        if name != images and np.shape(array) == (rows,) and np.asarray(array).dtype.kind in "biufU"
    }


def is_idx(path: Path) -> bool:
    """Whether a file is IDX, the format of MNIST and its kin, perhaps gzipped, by its name."""
    name = path.name.removesuffix(".gz")
    return name.endswith(("ubyte", ".idx")) or ".idx" in name or "-idx" in name


def read_idx(path: Path) -> Shaped[np.ndarray, "..."]:
    """The array of an IDX file, plain or gzipped (yann.lecun.com/exdb/mnist describes it)."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = inflated(content, str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected an IDX file") from None
    except OSError:
        raise InputError(f"{path}: damaged; expected a whole IDX file") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise InputError(f"{path}: is no IDX file; expected its magic number")
    axes = content[3]
    start = 4 + 4 * axes
    if not axes or len(content) < start:
        raise InputError(f"{path}: damaged; expected a whole IDX file")
    shape = struct.unpack(f">{axes}I", content[4:start])
    kind = np.dtype(_IDX_TYPES[content[2]])
    wanted = start + kind.itemsize * math.prod(shape)
    if len(content) != wanted or not all(shape) or axes > _MOST_AXES:
        raise InputError(f"{path}: {len(content)} bytes; expected {wanted} for {list(shape)}")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
