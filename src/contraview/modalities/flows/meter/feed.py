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
        self.buffer = bytes(PADDING)
        self.size = 0
        """Bytes of ``buffer`` that were read: the rest is padding."""
        self.chunk = chunk
        self._own: BufferedIOBase | None = None
        if isinstance(source, BufferedIOBase):
            self.name = str(getattr(source, "name", "capture stream"))
            stream = source
        else:
            self.name = str(source)
            self._own = stream = _open(Path(source))
        head = stream.read(len(_GZIP))
        self._blocks = (self._inflated if head == _GZIP else self._plain)(head, stream)

    def refill(self, keep_from: int) -> bool:
        """Forget the bytes before ``keep_from``, read a chunk more; False at the end."""
        parts = [self.buffer[keep_from : self.size]]
        fresh = 0
        for block in self._blocks:
            parts.append(block)
            fresh += len(block)
            if fresh >= self.chunk:
                break
        self.buffer = b"".join([*parts, bytes(PADDING)])
        self.size = len(self.buffer) - PADDING
        return fresh > 0

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._own is not None:
            self._own.close()

    def _plain(self, head: bytes, stream: BufferedIOBase) -> Iterator[bytes]:
        block = head + stream.read(self.chunk)
        while block:
            yield block
            block = stream.read(self.chunk)

    def _inflated(self, head: bytes, stream: BufferedIOBase) -> Iterator[bytes]:
        # zlib itself, not the gzip module: of a file cut short it gives all that is there.
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
