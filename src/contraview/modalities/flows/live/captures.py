"""Captures that are still being written, one or a series of them, and captures on a pipe."""

from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any, Protocol, runtime_checkable

from contraview.core.errors import InputError
from contraview.modalities.flows.live.packets import Arrival
from contraview.modalities.flows.live.pipe import Pipe
from contraview.modalities.flows.live.source import Clock, Trouble
from contraview.modalities.flows.live.tail import Tail
from contraview.modalities.flows.meter.capture import read_windows
from contraview.modalities.flows.meter.feed import Feed, Records
from contraview.modalities.flows.meter.windows import WINDOW


@runtime_checkable
class Bytes(Protocol):
    """Bytes of one capture after the other."""

    def take(self, size: int, wait: float) -> bytes | None:
        """Bytes of the capture; none at its end, None where none came within ``wait`` seconds."""
        ...


class CaptureSupply:
    """The packets of captures, one after the other."""

    def __init__(self, tail: Tail, *, clock: Clock, poll: float, skip: int = 0) -> None:
        self.name, self.replayable = tail.name, True
        self._tail = tail
        self._stream = _Stream(self.name, _Files(tail, clock, poll))
        self._troubles: list[Trouble] = []
        self._packets, self._skip = 0, skip
        self._windows = self._read()

    def next(self, wait: float) -> Arrival | None:
        """The packets that were added."""
        self._stream.wait = wait
        records = next(self._windows)
        troubles = (*self._tail.troubles(), *self._troubles)
        self._troubles.clear()
        self._packets += 0 if records is None else records.start.size
        return Arrival(records, queued=self._tail.behind(), troubles=troubles)

    def place(self) -> dict[str, Any]:
        """The file, to be read from its begin, and how many of its packets have been read."""
        return {"tail": self._tail.place(), "packets": self._packets}

    def close(self) -> None:
        """Close the file."""
        self._tail.close()

    def _read(self) -> Iterator[Records | None]:
        while True:
            yield from _capture(self._stream, self._troubles, self._unread)
            self._packets, self._skip = 0, 0

    def _unread(self, records: Records) -> Records:
        """The packets beyond those that were read before the restart."""
        known = min(self._skip, records.start.size)
        self._skip -= known
        self._packets += known
        return records.window(known, records.start.size) if known else records


class PipeSupply:
    """The packets of a capture on a pipe, until it ends."""

    replayable = False

    def __init__(self, pipe: Pipe) -> None:
        self.name = pipe.name
        self._stream = _Stream(self.name, _Piped(pipe))
        self._troubles: list[Trouble] = []
        self._windows = _capture(self._stream, self._troubles, lambda records: records)

    def next(self, wait: float) -> Arrival | None:
        """The packets that came."""
        self._stream.wait = wait
        try:
            records = next(self._windows)
        except StopIteration:
            return None
        troubles = tuple(self._troubles)
        self._troubles.clear()
        return Arrival(records, troubles=troubles)

    def place(self) -> dict[str, Any]:
        """A pipe cannot be read again."""
        return {}

    def close(self) -> None:
        """The pipe is not ours to close."""


def _capture(stream: "_Stream", troubles: list[Trouble], unread: Any) -> Iterator[Records | None]:
    """The packets of one capture; what is wrong with it goes to ``troubles``."""
    stream.ended = False
    feed = Feed(stream)
    try:
        for records in read_windows(feed, WINDOW):
            yield unread(records)
        if feed.cut_short:
            troubles.append(Trouble("cut", f"{stream.name}: a capture ends inside a packet"))
    except InputError as error:
        troubles.append(Trouble("records", str(error)))
    while not stream.ended:  # what nobody can read is passed over
        if not stream.readinto(memoryview(bytearray(1 << 20))):
            yield None
    if troubles:
        yield None


class _Stream(BufferedIOBase):
    """Bytes for the meter's feed: it takes what is there, and waits only where nothing is."""

    def __init__(self, name: str, source: Bytes) -> None:
        self.name, self.wait, self.ended = name, 0.0, False
        self._source, self._had = source, False

    def read(self, _size: int | None = -1, /) -> bytes:
        """Nothing ahead of time: packed captures are unpacked before."""
        return b""

    # As a raw stream that does not block.
    def readinto(self, space: Any, /) -> int | None:  # pyright: ignore
        """Fill a part of ``space``; 0 at the end of the capture, None where nothing came."""
        data = self._source.take(len(space), 0.0 if self._had else self.wait)
        self._had = bool(data)
        if data is None:
            return None
        self.ended = not data
        space[: len(data)] = data
        return len(data)


class _Files:
    """The files that a tail follows."""

    def __init__(self, tail: Tail, clock: Clock, poll: float) -> None:
        self._tail, self._clock, self._poll = tail, clock, poll

    def take(self, size: int, wait: float) -> bytes | None:
        """Bytes of the file; none where it was left for the next."""
        piece = self._tail.read(size)
        if piece is None:
            if wait:
                self._clock.sleep(min(wait, self._poll))
            return None
        return piece.data


class _Piped:
    """A pipe."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def take(self, size: int, wait: float) -> bytes | None:
        """Bytes from the pipe; none at its end."""
        return self._pipe.read(size, wait)
