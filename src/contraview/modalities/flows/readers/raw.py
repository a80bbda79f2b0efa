"""What a reader hands over: a lazy table of cells as found, and what it could not parse."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

LINE: Final = "contraview.line"
"""The column with the line of the file that a row came from, counted from 1."""


@dataclass
class Malformed:
    """Lines that are no rows: how many, and what the first looks like."""

    count: int = 0
    first: str = ""

    def add(self, where: str, what: str, count: int = 1) -> None:
        """Count a line; the first is kept as ``where: what``."""
        if not self.count:
            self.first = f"{where}: {what}" if what else where
        self.count += count


@dataclass
class Raw:
    """One source before its columns are understood.

    Attributes:
        name: how messages call it.
        cells: the table; columns of text formats are strings, with `LINE` beside them.
        malformed: lines left out because they are no rows.
        kind: the kind that the file itself names; None to go by the columns.
        notes: sentences about the file that a person should read.
    """

    name: str
    cells: pl.LazyFrame
    malformed: Malformed = field(default_factory=Malformed)
    kind: str | None = None
    notes: list[str] = field(default_factory=list)
