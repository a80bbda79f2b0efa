"""The pcap format: microsecond and nanosecond stamps, either byte order."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.feed import LONGEST, Feed, Records
from contraview.modalities.flows.meter.headers import gather
from contraview.modalities.flows.meter.network import LINK_TYPES
from contraview.modalities.flows.meter.walk import ENDLESS, walk

# magic number as it lies in the file -> byte order, stamps per second
_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
_FILE_HEADER: Final = 24
_NEAR: Final = 86_400  # seconds


def is_pcap(head: bytes) -> bool:
    """Whether a file that begins so is a pcap file."""
    return head in _MAGIC


@dataclass(slots=True)
class PcapLayout:
    """Records of a pcap file: seconds, fraction, captured length, length on the wire, frame."""

    order: str
    per_second: int
    header: int = 16
    longest: int = LONGEST
    seconds: int = 0
    """The stamp of the last record seen: those that follow are likely to be near."""

    @property
    def layout(self) -> np.dtype:
        """One record's header."""
        names = ("seconds", "fraction", "captured", "wire")
        return np.dtype([(name, f"{self.order}u4") for name in names])

    def length(self, buffer: memoryview, at: int) -> int:
        """Bytes from this record to the next."""
        (captured,) = struct.unpack_from(f"{self.order}I", buffer, at + 8)
        return 16 + captured if captured <= self.longest else ENDLESS

    def lengths(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Int64[np.ndarray, " n"]:
        """``length`` of many records."""
        captured = gather(buffer, at + 8, np.dtype(f"{self.order}u4")).astype(np.int64)
        return np.where(captured <= self.longest, captured + 16, ENDLESS)

    def hint(self, window: UInt8[np.ndarray, "lanes reach"]) -> Bool[np.ndarray, "lanes places"]:
        """The upper byte of the seconds is as in the record before."""
        at = 3 if self.order == "<" else 0
        return window[:, at : at + window.shape[1] - 4] == self.seconds >> 24

    def plausible(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """The stamp is near the one before, fraction and lengths are possible."""
        record = gather(buffer, at, self.layout)
        apart = record["seconds"].astype(np.int64) - self.seconds
        return (
            (np.abs(apart) < _NEAR)
            & (record["fraction"] < self.per_second)
            & (record["captured"] <= self.longest)
            & (record["captured"] <= record["wire"])
            & (record["wire"] <= LONGEST)
        )


def read_pcap(feed: Feed) -> Iterator[Records]:
    """The frames of a pcap file, a chunk at a time; ``feed`` holds the first."""
    order, per_second = _MAGIC[feed.head(4)]
    if feed.size < _FILE_HEADER:
        raise InputError(
            f"{feed.name}: cut after {feed.size} bytes, inside its header of {_FILE_HEADER};"
            " expected a pcap file"
        )
    snaplen, link = struct.unpack_from(f"{order}II", feed.buffer.data, 16)
    link &= 0xFFFF  # the upper bits tell the length of a frame check sequence
    if link not in LINK_TYPES:
        raise InputError(
            f"{feed.name}: link type {link} is not read; expected one of"
            f" {', '.join(sorted(set(LINK_TYPES.values())))}"
        )
    layout = PcapLayout(
        order, per_second, longest=max(LONGEST, snaplen if snaplen < 1 << 26 else 0)
    )
    at = _FILE_HEADER
    while True:
        if at + 4 <= feed.size:
            (layout.seconds,) = struct.unpack_from(f"{order}I", feed.buffer.data, at)
        positions, at = walk(feed.buffer, at, feed.size, layout)
        if positions.size:
            yield _records(feed, positions, layout, link)
        broken = at + 16 <= feed.size and layout.length(feed.buffer.data, at) == ENDLESS
        if broken or not feed.refill(at):
            feed.cut_short |= broken or feed.size > 0
            return
        at = 0
        if feed.waiting:
            yield Records.none(feed)


def _records(feed: Feed, positions: np.ndarray, layout: PcapLayout, link: int) -> Records:
    record = gather(feed.buffer, positions, layout.layout)
    fraction = record["fraction"].astype(np.int64)
    if layout.per_second > 1_000_000:
        fraction //= 1000
    return Records(
        buffer=feed.buffer,
        start=positions + 16,
        captured=record["captured"].astype(np.int64),
        wire=np.maximum(record["wire"], record["captured"]).astype(np.int64),
        stamp=record["seconds"].astype(np.int64) * 1_000_000 + fraction,
        link=np.full(positions.shape, link, np.uint16),
    )
