"""A sample of held-out benign rows that a model keeps, so that views that move can be measured."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from contraview.core.seeds import numpy_generator

MOST: Final = 50_000
"""Rows kept: 14 MB of 70 columns."""


class Reserve:
    """A uniform sample of standardised rows that come in batches, in bounded memory.

    Args:
        most: rows kept; with no more than that all are.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._keys = np.empty(0)
        self._rows: Float32[np.ndarray, "n d"] | None = None
        self._generator = numpy_generator(0, "reserve")

    @classmethod
    def of(cls, rows: Float[np.ndarray, "n d"]) -> Float32[np.ndarray, "m d"]:
        """The sample of rows that are all there."""
        self = cls()
        self.add(rows)
        return self.rows

    def add(self, rows: Float[np.ndarray, "n d"]) -> None:
        """Take a batch; the rows kept stay in order."""
        keys = np.concatenate([self._keys, self._generator.random(len(rows))])
        new = rows.astype(np.float32)
        held = new if self._rows is None else np.concatenate([self._rows, new])
        if len(held) > self._most:
            kept = np.sort(np.argpartition(keys, self._most)[: self._most])
            keys, held = keys[kept], held[kept]
        self._keys, self._rows = keys, held

    @property
    def rows(self) -> Float32[np.ndarray, "m d"]:
        """The rows kept so far."""
        assert self._rows is not None, "at least one batch was added"
        return self._rows
