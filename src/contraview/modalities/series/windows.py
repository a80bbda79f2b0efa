"""Stretches of a series: what is seen, and what follows it."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.errors import InputError


def starts(rows: int, length: int, horizon: int, stride: int = 1) -> Int[np.ndarray, " n"]:
    """Where windows of ``length`` rows begin that ``horizon`` known rows follow."""
    if rows < length + horizon:
        raise InputError(
            f"{rows} rows; a window needs {length} and {horizon} that follow it: expected at least "
            f"{length + horizon}"
        )
    return np.arange(0, rows - length - horizon + 1, stride)


def gather(
    values: Float[Tensor, "t c"], first: Int[Tensor, " n"], length: int
) -> Float[Tensor, "n s c"]:
    """``length`` rows from each of ``first`` on."""
    return values[first[:, None] + torch.arange(length)]
