"""A log that grows, or lines on a pipe, as a source of flows."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.live.lines import FEW, Lines, LogText
from contraview.modalities.flows.live.pipe import Pipe
from contraview.modalities.flows.live.source import Batch, Clock, Place, Trouble
from contraview.modalities.flows.live.tail import Tail
from contraview.modalities.flows.live.typed import Typed

BLOCK: Final = 4 << 20
"""Bytes of text read at a time."""


class LogFlows:
    """Turns the bytes of a log into flows, and tells what is wrong with them."""

    def __init__(
        self, name: str, kind: Kind, numeric: Sequence[str], categorical: Sequence[str]
    ) -> None:
        self.name = name
        self.lines, self.text = Lines(), LogText(name, kind)
        self.typed = Typed(kind, numeric, categorical)
        self._lacking = False

    def take(self, data: bytes, head: bytes | None, *, last: bool = False) -> Batch:
        """The flows of some more bytes; with ``head`` they are another file's (`LogText.begin`)."""
        if head is not None:
            self.text.begin(head)
        before = self.text.malformed.count + self.lines.too_long
        whole = self.lines.cut(data, last=last)
        found: list[pl.DataFrame] = []
        corrupt, records, first = 0, 0, ""
        troubles: list[Trouble] = []
        try:
            for cells in self.text.cells(whole):
                records += cells.height
                try:
                    rows, wrong = self.typed.flows(cells)
                except InputError as error:
                    corrupt += cells.height
                    if not self._lacking and cells.height:
                        troubles.append(
                            Trouble("columns", f"{self.name}: {error}; its records are left out")
                        )
                    self._lacking = bool(cells.height)
                    continue
                self._lacking = False
                corrupt += cells.height - rows.height
                first = first or wrong
                found.append(rows)
        except InputError as error:
            records = corrupt = whole.count(b"\n")
            troubles.append(Trouble("records", str(error)))
        unread = self.text.malformed.count + self.lines.too_long - before
        malformed, received = corrupt + unread, records + unread
        if received >= FEW and malformed > received // 2 and not troubles:
            why = first or self.text.malformed.first or "lines without an end"
            troubles.append(
                Trouble(
                    "records",
                    f"{self.name}: {malformed} of {received} records cannot be read: {why}",
                )
            )
        troubles = [*self.text.troubles, *troubles]
        self.text.troubles = []
        rows = pl.concat(found, how="diagonal_relaxed") if found else None
        return Batch(rows, received=received, malformed=malformed, troubles=tuple(troubles))


class LogSource:
    """A log file that grows and is rotated."""

    replayable = True

    def __init__(
        self,
        tail: Tail,
        kind: Kind,
        numeric: Sequence[str],
        categorical: Sequence[str],
        *,
        clock: Clock,
        poll: float,
    ) -> None:
        self.name, self.kind = tail.name, kind.name
        self.delay = f"the sensor's own time-outs and {poll:g} s"
        self._clock, self._poll = clock, poll
        self._tail = tail
        self._flows = LogFlows(self.name, kind, numeric, categorical)

    def read(self, wait: float) -> Batch | None:
        """The records that were added."""
        piece = self._tail.read(BLOCK)
        if piece is None:
            self._clock.sleep(min(wait, self._poll))
            return self._with(Batch())
        head = piece.head if piece.at or piece.head is None else b""
        return self._with(self._flows.take(piece.data, head, last=piece.last))

    def place(self) -> Place:
        """The file and the byte."""
        return Place({"tail": self._tail.place(len(self._flows.lines.held))})

    def rest(self) -> Batch:
        """Nothing is held."""
        return Batch()

    def close(self) -> None:
        """Close the file."""
        self._tail.close()

    def _with(self, batch: Batch) -> Batch:
        troubles = (*self._tail.troubles(), *batch.troubles)
        return Batch(
            batch.rows,
            received=batch.received,
            malformed=batch.malformed,
            queued=self._tail.behind(),
            troubles=troubles,
        )


class LogPipe:
    """Lines of a log on a pipe, until it ends."""

    replayable = False

    def __init__(
        self,
        pipe: Pipe,
        kind: Kind,
        numeric: Sequence[str],
        categorical: Sequence[str],
    ) -> None:
        self.name, self.kind = pipe.name, kind.name
        self.delay = "the sensor's own time-outs"
        self._pipe = pipe
        self._flows = LogFlows(self.name, kind, numeric, categorical)
        self._begun = self._over = False

    def read(self, wait: float) -> Batch | None:
        """The records that came."""
        if self._over:
            return None
        data = self._pipe.read(BLOCK, wait)
        if data is None:
            return Batch()
        head = None if self._begun else b""
        self._begun, self._over = True, not data
        return self._flows.take(data, head, last=not data)

    def place(self) -> Place:
        """A pipe cannot be read again."""
        return Place()

    def rest(self) -> Batch:
        """Nothing is held."""
        return Batch()

    def close(self) -> None:
        """The pipe is not ours to close."""
