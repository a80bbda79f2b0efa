"""NumPy files: .npy with one cloud or many, .npz with named ones."""

import numpy as np
from jaxtyping import Shaped

from contraview.core import numpy_files
from contraview.core.errors import InputError
from contraview.modalities.clouds.shape import Shape


def read_npy(content: bytes, name: str) -> list[Shape]:
    """One cloud [p, 3 or more columns], or many [n, p, 3 or more]."""
    return from_array(numpy_files.read_npy(content, name), name)


def read_npz(content: bytes, name: str) -> list[Shape]:
    """The array ``points`` with other arrays of one value a cloud beside it, or a cloud an array.

    Raises:
        InputError: no NumPy archive, or an array that is no cloud.
    """
    arrays = numpy_files.read_npz(content, name)
    if "points" not in arrays:
        return [
            shape for key, array in arrays.items() for shape in from_array(array, f"{name}:{key}")
        ]
    shapes = from_array(arrays["points"], f"{name}:points")
    for key, values in arrays.items():
        if key != "points" and values.shape == (len(shapes),):
            for shape, value in zip(shapes, values, strict=True):
                shape.facts[key] = str(value)
    return shapes


def from_array(array: Shaped[np.ndarray, "..."], name: str) -> list[Shape]:
    """The clouds in an array; columns beyond the third (normals, colours) are passed over."""
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: holds {array.dtype}; expected numbers")
    if array.ndim == 2 and array.shape[1] >= 3:
        return [Shape(name, array[:, :3].astype(np.float64))]
    if array.ndim == 3 and array.shape[2] >= 3:
        return [
            Shape(f"{name}[{i}]", cloud[:, :3].astype(np.float64)) for i, cloud in enumerate(array)
        ]
    raise InputError(
        f"{name}: is of shape {list(array.shape)}; expected [points, 3] or [clouds, points, 3]"
    )
