"""How a row of a series looks: the rows around it."""

from typing import Final

from contraview.core.shown import Shown, curves
from contraview.modalities.series.data import Series

AROUND: Final = 96
"""Rows before and after."""
CHANNELS: Final = 6


def show(data: Series, i: int) -> Shown:
    """The first channels before and after the row, which is marked."""
    first = max(i - AROUND, 0)
    part = data.values[first : i + AROUND + 1]
    return curves([part[:, c] for c in range(part.shape[1])][:CHANNELS], mark=i - first)
