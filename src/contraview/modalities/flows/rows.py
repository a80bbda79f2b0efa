"""A lazy table that is read slice by slice in constant memory.

polars' own streaming reads many row groups ahead (1.5 GB for 1.6 million rows of 44 columns,
measured with 2.1), and a slice behind a filter scans from the start. Slices are therefore cut
from the source, where they are cheap, and every later step is applied to each slice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

SLICE: Final = 65_536
"""Rows at a time."""

Step = Callable[[pl.LazyFrame], pl.LazyFrame]
"""What is done with rows, each of them by itself: expressions, filters."""


@dataclass(frozen=True)
class Rows:
    """Rows in order.

    Attributes:
        parts: the sources, with the same columns, each with its number of rows.
        steps: what is done with the rows of the sources, in order.
        left: how many rows the steps leave; None where that takes a pass over the rows to know.
    """

    parts: tuple[tuple[pl.LazyFrame, int], ...]
    steps: tuple[Step, ...] = ()
    left: int | None = None

    @classmethod
    def of(cls, parts: Sequence[pl.LazyFrame]) -> "Rows":
        """The rows of ``parts`` one after another; columns that a part lacks are empty there."""
        whole = pl.concat(parts, how="diagonal_relaxed").collect_schema()
        aligned = []
        for part in parts:
            there = part.collect_schema()
            columns = [
                (pl.col(name) if name in there else pl.lit(None)).cast(dtype).alias(name)
                for name, dtype in whole.items()
            ]
            height = part.select(pl.len()).collect().item()
            aligned.append((part if there == whole else part.select(columns), height))
        return cls(tuple(aligned), left=sum(height for _, height in aligned))

    @property
    def frame(self) -> pl.LazyFrame:
        """All rows as one lazy table."""
        whole = pl.concat([part for part, _ in self.parts])
        return self._stepped(whole)

    def then(self, step: Step, *, left: int | None = None) -> "Rows":
        """The rows after one more step, and how many it leaves where that is known."""
        return replace(self, steps=(*self.steps, step), left=left)

    def pieces(self, rows: int = SLICE) -> Iterator["Rows"]:
        """The rows in order, at most ``rows`` of a source at a time, none of them read yet."""
        for part, height in self.parts:
            for start in range(0, height, rows):
                piece = (part.slice(start, rows), min(rows, height - start))
                yield replace(self, parts=(piece,), left=None)

    def lie_in_files(self) -> bool:
        """Whether all rows are in files with a name, so that another process can read them."""
        try:
            for part, _ in self.parts:
                part.serialize()
        except pl.exceptions.ComputeError:
            return False
        return True

    def slices(self, rows: int = SLICE) -> Iterator[pl.DataFrame]:
        """The rows in order, at most ``rows`` at a time; what a filter empties is left out."""
        for piece in self.pieces(rows):
            found = piece.frame.collect()
            if found.height:
                yield found

    def _stepped(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        for step in self.steps:
            frame = step(frame)
        return frame
