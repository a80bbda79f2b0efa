"""A series that fits in a test."""

from datetime import datetime

import numpy as np
import polars as pl

from contraview.core.seeds import numpy_generator
from contraview.modalities.series.data import read_series

ROWS = 240


def table(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """Two channels with a period of eight hours, the second late by two; and some noise."""
    g = numpy_generator(seed, "tiny series")
    t = np.arange(rows)
    start = datetime(2024, 1, 1)
    return pl.DataFrame(
        {
            "date": pl.datetime_range(start, datetime(2034, 1, 1), "1h", eager=True)[:rows],
            "load": 50 + 10 * np.sin(t * np.pi / 4) + g.normal(0, 0.5, rows),
            "heat": 3 * np.sin((t - 2) * np.pi / 4) + g.normal(0, 0.2, rows),
        }
    )


def data(**knobs):
    """The tiny series as `fit` takes it."""
    return read_series(table(), **knobs)
