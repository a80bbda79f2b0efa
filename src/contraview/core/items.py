"""What every wing's data is to the command: items in order, in parts, with a line about each."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import polars as pl


@runtime_checkable
class Items(Protocol):
    """Data of any kind, as a wing's ``Source.read`` gives it: flows, texts, clouds, images."""

    def __len__(self) -> int:
        """How many items there are."""
        ...

    def parts(self) -> Iterator["Items"]:
        """The items in order, as much at a time as fits in memory."""
        ...

    def collect(self) -> pl.DataFrame:
        """One row an item, such as its file or its text: what a verb's columns stand beside."""
        ...

    def labels(self) -> Any:
        """The label of each item, an array of text or of numbers; `InputError` where unknown."""
        ...

    def take(self, rows: Sequence[int] | Any) -> "Items":
        """The items with these numbers, in this order."""
        ...

    def fingerprint(self) -> str:
        """A digest of the items: the same data has the same one."""
        ...
