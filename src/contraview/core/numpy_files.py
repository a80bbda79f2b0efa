"""NumPy's .npy and .npz files from outside: nothing is unpickled, no header is believed.

`numpy.load` makes room for the shape that a header tells before it looks for the numbers. Here a
header has to agree with the bytes that follow it.
"""

import io
import lzma
import math
import struct
import sys
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from contraview.core.errors import InputError
from contraview.core.expansion import check_expansion

Bytes = IO[bytes] | io.BufferedIOBase
_BROKEN: Final = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RuntimeError,  # encrypted; nested beyond all measure
    NotImplementedError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What NumPy and zipfile raise for bytes that are none of theirs."""


def read_npy(source: Path | bytes, name: str) -> np.ndarray:
    """The array of an .npy file.

    Args:
        source: the file or its bytes.
        name: what to call it in errors.

    Raises:
        InputError: not there, damaged, no plain array, or a shape that its bytes do not fill.
    """
    try:
        with _opened(source) as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _array(file, size, name)
    except _BROKEN as error:
        raise _unreadable(name, error) from None


def read_npz(source: Path | bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name.

    Args:
        source: the file or its bytes.
        name: what to call it in errors.

    Raises:
        InputError: not there, damaged, an array that is no plain one or that its bytes do not
            fill, or a bomb.
    """
    try:
        with _opened(source) as file, zipfile.ZipFile(file) as archive:
            stored = file.seek(0, 2)
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            check_expansion(name, stored, sum(each.file_size for each in members))
            found = {}
            for member in members:
                called = member.filename.removesuffix(".npy")
                with archive.open(member) as part:
                    found[called] = _array(part, member.file_size, f"{name}: array {called!r}")
            return found
    except _BROKEN as error:
        raise _unreadable(name, error) from None


def _opened(source: Path | bytes) -> io.BufferedIOBase:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _array(file: Bytes, size: int, name: str) -> np.ndarray:
    """The array that begins here and takes ``size`` bytes with its header."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version}")
    width, read = _HEADERS[version]
    length = int.from_bytes(file.read(width), "little")
    header = file.read(min(length, _LONGEST_HEADER + 1))
    if not 0 < len(header) <= _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    told = io.BytesIO(len(header).to_bytes(width, "little") + header)
    shape, by_columns, kind = read(told)
    if kind.hasobject or kind.fields or kind.subdtype:
        raise InputError(
            f"{name}: holds records or Python objects, which are never loaded; expected numbers or "
            "texts"
        )
    count = math.prod(shape)
    room = size - 6 - 2 - width - len(header)
    if min(shape, default=0) < 0 or count * kind.itemsize > max(room, 0):
        raise InputError(
            f"{name}: {list(shape)} of {kind} in {room} bytes; expected as many bytes as the shape "
            "takes"
        )
    cells = np.empty(count, kind)
    if cells.nbytes:
        _fill(file, cells, name)
    points = np.dtype("u4").newbyteorder(kind.byteorder)
    if kind.kind == "U" and cells.nbytes and (cells.view(points) > sys.maxunicode).any():
        raise InputError(f"{name}: holds numbers that are no characters; expected text")
    return cells.reshape(shape[::-1]).T if by_columns else cells.reshape(shape)


_LONGEST_HEADER: Final = 10_000
_HEADERS: Final = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
"""Version 3 is for names of fields beyond Latin-1; nothing here has fields."""
_STEP: Final = 1 << 24


def _fill(file: Bytes, cells: np.ndarray, name: str) -> None:
    room, at = cells.view(np.uint8).data, 0
    while at < len(room):
        piece = file.read(min(_STEP, len(room) - at))
        if not piece:
            raise InputError(f"{name}: ends after {at} of {len(room)} bytes; expected all of them")
        room[at : at + len(piece)] = piece
        at += len(piece)


def _unreadable(name: str, error: BaseException) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name}: no such file; expected a NumPy file")
    said = str(error).strip() or type(error).__name__
    return InputError(f"{name}: cannot be read as a NumPy file: {said}")


def sparse_of(arrays: dict[str, np.ndarray], name: str, kind: str = "csr") -> Any:
    """A scipy matrix from its arrays, every index checked: SciPy itself believes them.

    Args:
        arrays: ``data``, ``indices``, ``indptr`` and ``shape`` (or ``row`` and ``col`` of a coo).
        name: what to call it in errors.
        kind: ``csr``, ``csc`` or ``coo``, as scipy's ``format``.

    Raises:
        InputError: an array is missing, or they do not fit each other.
    """
    from scipy import sparse

    try:
        shape = tuple(int(side) for side in arrays["shape"].ravel())
        if len(shape) != 2 or min(shape) < 0:
            raise ValueError(f"shape {list(shape)}")
        data = arrays["data"]
        if data.dtype.kind not in "biuf":
            raise ValueError(f"data of {data.dtype}")
        if data.dtype.kind == "f":  # SciPy takes no half precision and no other byte order
            data = data.astype(np.float32 if data.dtype.itemsize == 4 else np.float64)
        data = data.astype(data.dtype.newbyteorder("="))
        stored = sum(array.nbytes for array in arrays.values())
        check_expansion(name, stored, 8 * max(shape))
        if kind == "coo":
            places = arrays["row"], arrays["col"]
            if any(place.dtype.kind not in "iu" for place in places):
                raise ValueError("rows or columns that are no whole numbers")
            return sparse.coo_array((data, places), shape=shape)  # checks what it is given
        if kind not in ("csr", "csc"):
            raise ValueError(f"format {kind!r}; expected csr, csc or coo")
        indices, starts = arrays["indices"], arrays["indptr"]
        if indices.dtype.kind not in "iu" or starts.dtype.kind not in "iu":
            raise ValueError("indices that are no whole numbers")
        indices, starts = indices.astype(np.int64), starts.astype(np.int64)
        # Not left to SciPy: its own check passes over rows that run backward to the beginning.
        major, minor = shape if kind == "csr" else shape[::-1]
        rising = starts.shape == (major + 1,) and starts[0] == 0 and (np.diff(starts) >= 0).all()
        if not rising or starts[-1] != len(data) or data.shape != indices.shape:
            raise ValueError("rows that do not lie in its data")
        if len(indices) and not 0 <= indices.min() <= indices.max() < minor:
            raise ValueError(f"an index beyond {minor}")
        made = sparse.csr_array if kind == "csr" else sparse.csc_array
        matrix = made((data, indices, starts), shape=shape)
    except _BROKEN as error:
        if isinstance(error, KeyError):
            error = ValueError(f"no array {error}")
        raise InputError(f"{name}: no sparse matrix: {error}") from None
    return matrix


def sparse_in(arrays: dict[str, np.ndarray], name: str) -> Any:
    """The matrix of a file of `scipy.sparse.save_npz`; see `sparse_of`."""
    kind = arrays.get("format")
    called = kind.item() if kind is not None and kind.size == 1 else ""
    called = called.decode("ascii", "replace") if isinstance(called, bytes) else str(called)
    return sparse_of(arrays, name, called)


def dense_of(matrix: Any, name: str) -> np.ndarray:
    """A sparse matrix with all its zeros.

    Raises:
        InputError: these would take memory beyond all measure.
    """
    stored = matrix.data.nbytes
    check_expansion(name, stored, math.prod(matrix.shape) * matrix.data.itemsize)
    return matrix.toarray()
