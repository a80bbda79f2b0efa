"""The digits of the data set `digits_5k`, which come as a table of pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images, read_images

SIDE = 28


def read_digits(files: Sequence[Path | str]) -> Images:
    """Images [n, 1, 28, 28] with a column ``label`` from ``mnist_5k.csv.gz``."""
    table = pl.read_csv(files[0], has_header=False)
    if table.width != SIDE**2 + 1:
        raise InputError(
            f"{files[0]}: {table.width} columns; expected {SIDE**2} pixels and a label"
        )
    values = table.to_numpy()
    pixels = values[:, :-1].astype(np.uint8).reshape(-1, SIDE, SIDE)
    return read_images({"x": pixels, "label": values[:, -1].astype(str)}, labels="label")
