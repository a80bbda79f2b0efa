"""The bytes of a capture, and the frames found in them."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.headers import PADDING

CHUNK: Final = 32 << 20
"""Bytes read at a time."""

LONGEST: Final = 262_144
"""The longest frame a capture may hold (libpcap's own limit)."""

_GZIP: Final = b"\x1f\x8b"
_INFLATE_STEP: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Records:
    """Captured frames: where they lie in ``buffer``, and what the capture says of them."""

    buffer: UInt8[np.ndarray, " bytes"]
    """Ends with PADDING zero bytes that belong to no frame."""
    start: Int64[np.ndarray, " n"]
    captured: Int64[np.ndarray, " n"]
    """Bytes of the frame in ``buffer``."""
    wire: Int64[np.ndarray, " n"]
    """Bytes of the frame when it was sent."""
    stamp: Int64[np.ndarray, " n"]
    """Microseconds since 1970 (UTC)."""
    link: UInt16[np.ndarray, " n"]
    """Link type, as registered for pcap files."""

    @classmethod
    def none(cls, feed: "Feed") -> "Records":
        """No frame: what a capture that is still written gives while it waits."""
        nothing = np.zeros(0, np.int64)
        return cls(feed.buffer, nothing, nothing, nothing, nothing, np.zeros(0, np.uint16))

    def window(self, begin: int, end: int) -> "Records":
        """The frames from ``begin`` to ``end``; the buffer is shared."""
        part = slice(begin, end)
        return Records(
            self.buffer,
            self.start[part],
            self.captured[part],
            self.wire[part],
            self.stamp[part],
            self.link[part],
        )


class Feed:
    """The bytes of a capture, a chunk at a time, inflated on the way if need be."""

    def __init__(self, source: Path | str | BufferedIOBase, chunk: int = CHUNK):
        self.cut_short = False
        """The capture ended inside a record, or its rest cannot be read."""
        self.waiting = False
        """The stream has nothing now, but has not ended (its ``readinto`` gave None)."""
        self.buffer = np.zeros(PADDING, np.uint8)
        """One piece of memory, filled again and again: views of it last until ``refill``."""
        self.size = 0
        """Bytes of ``buffer`` that were read; PADDING zeros follow."""
        self.chunk = chunk
        self._own: BufferedIOBase | None = None
        if isinstance(source, BufferedIOBase):
            self.name = str(getattr(source, "name", "capture stream"))
            stream = source
        else:
            self.name = str(source)
            self._own = stream = _open(Path(source))
        head = stream.read(len(_GZIP)) or b""
        self._bytes = _Inflated(head, stream) if head == _GZIP else _Plain(head, stream)

    def refill(self, keep_from: int) -> bool:
        """Forget the bytes before ``keep_from``, read a chunk more; False at the end.

        Of a stream that does not block it takes what is there, see ``waiting``.
        """
        rest = self.buffer[keep_from : self.size]
        needed = rest.size + self.chunk + PADDING
        buffer = self.buffer
        if buffer.size < needed:
            buffer = np.empty(needed + LONGEST, np.uint8)
        buffer[: rest.size] = rest
        fresh = self._bytes.read_into(buffer.data[rest.size : rest.size + self.chunk])
        self.cut_short |= self._bytes.cut_short
        self.waiting = not fresh and self._bytes.waiting
        self.buffer, self.size = buffer, rest.size + fresh
        buffer[self.size : self.size + PADDING] = 0
        return fresh > 0 or self.waiting

    def head(self, size: int, at: int = 0) -> bytes:
        """Some bytes of the buffer; fewer where it ends."""
        return self.buffer[at : min(at + size, self.size)].tobytes()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._own is not None:
            self._own.close()


class _Plain:
    """A stream as it is."""

    cut_short = waiting = False

    def __init__(self, head: bytes, stream: BufferedIOBase):
        self._head, self._stream = head, stream

    def read_into(self, space: memoryview) -> int:
        filled = len(self._head)
        space[:filled] = self._head
        self._head = b""
        got: int | None = 1
        while filled < len(space) and (got := self._stream.readinto(space[filled:])):
            filled += got
        self.waiting = got is None
        return filled


class _Inflated:
    """A gzip stream. zlib itself, not the gzip module: of one cut short it gives all there is."""

    waiting = False

    def __init__(self, head: bytes, stream: BufferedIOBase):
        self.cut_short = False
        self._blocks = self._inflate(head, stream)
        self._left = memoryview(b"")

    def read_into(self, space: memoryview) -> int:
        filled = 0
        while filled < len(space):
            if not self._left:
                self._left = memoryview(next(self._blocks, b""))
                if not self._left:
                    break
            part = self._left[: len(space) - filled]
            space[filled : filled + len(part)] = part
            self._left = self._left[len(part) :]
            filled += len(part)
        return filled

    def _inflate(self, head: bytes, stream: BufferedIOBase) -> Iterator[bytes]:
        member, begun = zlib.decompressobj(wbits=31), False
        packed = head + stream.read(_INFLATE_STEP)
        while packed:
            try:
                block = member.decompress(packed)
            except zlib.error:
                self.cut_short = True
                return
            begun = True
            if block:
                yield block
            packed = member.unused_data
            if member.eof:  # another member may follow, after zeros
                member, begun = zlib.decompressobj(wbits=31), False
                packed = packed.lstrip(b"\0")
            packed = packed or stream.read(_INFLATE_STEP)
        self.cut_short = begun


def _open(path: Path) -> BufferedIOBase:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a pcap or pcapng file")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a pcap or pcapng file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
