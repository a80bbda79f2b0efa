"""How a segment of a recording looks: its channels over time."""

from typing import Final

import numpy as np

from contraview.core.shown import Shown, curves
from contraview.modalities.signals.data import Signals

CHANNELS: Final = 6


def show(data: Signals, i: int) -> Shown:
    """The first channels, one above the other."""
    segment = data.segments(np.array([i]))[0]
    return curves(list(segment[:CHANNELS]))
