"""The emoji of one vendor, cut from its sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.files import Frame, decode

PITCH: Final = 66
"""A cell of the sheet: the drawing and a border of one pixel on each side."""
SIZE: Final = 64


def read_emoji(paths: Sequence[Path]) -> Images:
    """All emoji of a vendor, as ``dataset("emoji_google")`` gives the files: sheet and table.

    The table has one row an emoji: ``base_unified`` is empty for base concepts, and for skin tones
    the base they are a variant of.
    """
    sheet_file, table_file = paths
    table = pl.read_csv(table_file, infer_schema=False).with_columns(
        pl.col("sheet_x", "sheet_y").cast(pl.Int64)
    )
    sheet = decode(sheet_file, 3, Frame())
    columns, rows = table["sheet_x"].to_numpy(), table["sheet_y"].to_numpy()
    if max(columns.max(), rows.max()) >= sheet.shape[1] // PITCH:
        raise InputError(f"{sheet_file}: too small for the cells of {table_file.name}")
    cells = [
        sheet[:, y * PITCH + 1 :, x * PITCH + 1 :][:, :SIZE, :SIZE]
        for x, y in zip(columns, rows, strict=True)
    ]
    return Images(np.stack(cells), table)
