"""The pcapng format: sections of either byte order, several interfaces, their time units."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from numpy.typing import NDArray

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.feed import LONGEST, Feed, Records
from contraview.modalities.flows.meter.headers import gather
from contraview.modalities.flows.meter.walk import ENDLESS, walk

_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_SECTION_BYTES: Final = struct.pack("<I", _SECTION)  # reads the same from both sides
_ORDER_MAGIC: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION_HEADER: Final = 28
_LONGEST_BLOCK: Final = 1 << 24
_UNIT_OPTION, _OFFSET_OPTION = 9, 14
_NO_INTERFACE: Final = 0xFFFF  # no registered link type


def is_pcapng(head: bytes) -> bool:
    """Whether a file that begins so is a pcapng file."""
    return head == _SECTION_BYTES


@dataclass(slots=True)
class BlockLayout:
    """Blocks of a pcapng section: type, length, body, length again."""

    order: str
    header: int = 12

    def length(self, buffer: memoryview, at: int) -> int:
        """Bytes from this block to the next."""
        kind, length = struct.unpack_from(f"{self.order}II", buffer, at)
        steppable = kind != _SECTION and 12 <= length <= _LONGEST_BLOCK and length % 4 == 0
        return length if steppable else ENDLESS

    def lengths(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Int64[np.ndarray, " n"]:
        """``length`` of many blocks."""
        block = self._blocks(buffer, at, "type", "length")
        length = block["length"].astype(np.int64)
        steppable = (block["type"] != _SECTION) & (length >= 12) & (length <= _LONGEST_BLOCK)
        return np.where(steppable & (length % 4 == 0), length, ENDLESS)

    def hint(self, window: UInt8[np.ndarray, "lanes reach"]) -> Bool[np.ndarray, "lanes places"]:
        """The type of an enhanced packet block."""
        places = window.shape[1] - 4
        digits = struct.pack(f"{self.order}I", _ENHANCED)
        found = np.ones((window.shape[0], places), bool)
        for k, digit in enumerate(digits):
            found &= window[:, k : k + places] == digit
        return found

    def plausible(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """The frame fits into an enhanced packet block."""
        names = ("type", "length", "interface", "high", "low", "captured", "wire")
        block = self._blocks(buffer, at, *names)
        length, captured = block["length"].astype(np.int64), block["captured"].astype(np.int64)
        return (block["type"] == _ENHANCED) & (length % 4 == 0) & (captured + 32 <= length)

    def _blocks(self, buffer: NDArray[np.uint8], at: NDArray[np.int64], *names: str) -> np.ndarray:
        return gather(buffer, at, np.dtype([(name, f"{self.order}u4") for name in names]))


@dataclass(frozen=True, slots=True)
class Interface:
    """What a section says of one interface."""

    link: int
    snaplen: int
    unit: int = 6
    """Stamps count in 10^-unit seconds, or, with the upper bit set, in 2^-unit."""
    offset: int = 0
    """Seconds to add to every stamp."""

    def microseconds(self, ticks: NDArray[np.uint64]) -> Int64[np.ndarray, " n"]:
        """Stamps as microseconds since 1970."""
        power = self.unit & 0x7F
        if self.unit & 0x80:
            ticks, power = ticks >> np.uint64(min(max(power - 40, 0), 63)), min(power, 40)
            shift, mask = np.uint64(power), np.uint64((1 << power) - 1)
            scale = np.uint64(1_000_000)
            micro = (ticks >> shift) * scale + ((ticks & mask) * scale >> shift)
        elif power <= 6:
            micro = ticks * np.uint64(10 ** (6 - power))
        else:
            micro = ticks // np.uint64(10 ** min(power - 6, 19))
        # No stamp, however wrong, may leave the range in which differences fit.
        seconds = min(max(self.offset, -(1 << 40)), 1 << 40)
        return (micro & np.uint64((1 << 61) - 1)).astype(np.int64) + seconds * 1_000_000


@dataclass(slots=True)
class _Section:
    """Byte order and interfaces in effect, and the stamp a block without one takes."""

    order: str
    interfaces: list[Interface] = field(default_factory=list)
    stamp: int = 0


def read_pcapng(feed: Feed) -> Iterator[Records]:
    """The frames of a pcapng file, a chunk at a time; ``feed`` holds the first."""
    section: _Section | None = None
    at = 0
    while True:
        if feed.head(4, at) == _SECTION_BYTES and at + _SECTION_HEADER <= feed.size:
            order = _ORDER_MAGIC.get(feed.head(4, at + 8))
            length = struct.unpack_from(f"{order or '<'}I", feed.buffer.data, at + 4)[0]
            broken = order is None or not _SECTION_HEADER <= length <= _LONGEST_BLOCK
            if broken and section is None:
                raise InputError(f"{feed.name}: byte 4: no pcapng section header; expected one")
            if not broken and at + length <= feed.size:
                assert order is not None
                section = _Section(order, stamp=section.stamp if section else 0)
                at += length
                continue
        elif section is not None:
            layout = BlockLayout(section.order)
            positions, at = walk(feed.buffer, at, feed.size, layout)
            records = _records(feed.buffer, positions, section)
            if records.start.size:
                yield records
            if feed.head(4, at) == _SECTION_BYTES and at + _SECTION_HEADER <= feed.size:
                continue
            broken = at + 12 <= feed.size and layout.length(feed.buffer.data, at) == ENDLESS
            broken &= feed.head(4, at) != _SECTION_BYTES
        else:
            broken = False
        if broken or not feed.refill(at):
            if section is None:
                raise InputError(
                    f"{feed.name}: cut after {feed.size} bytes, inside its header;"
                    " expected a pcapng file"
                )
            feed.cut_short |= broken or feed.size > 0
            return
        at = 0
        if feed.waiting:
            yield Records.none(feed)


def _records(buffer: NDArray[np.uint8], positions: NDArray[np.int64], section: _Section) -> Records:
    words = tuple(f"w{k}" for k in range(7))
    block = gather(buffer, positions, np.dtype([(word, f"{section.order}u4") for word in words]))
    kind = block["w0"]
    for at in positions[kind == _INTERFACE].tolist():
        section.interfaces.append(_interface(buffer, at, section.order))
    frames = np.flatnonzero((kind == _ENHANCED) | (kind == _SIMPLE))
    positions, block = positions[frames], block[frames]
    simple = block["w0"] == _SIMPLE
    length = block["w1"].astype(np.int64)
    number = np.where(simple, 0, block["w2"])
    wire = np.where(simple, block["w2"], block["w6"]).astype(np.int64)
    captured = np.where(simple, wire, block["w5"]).astype(np.int64)
    ticks = block["w3"].astype(np.uint64) << np.uint64(32) | block["w4"]

    stamp = np.zeros(frames.size, np.int64)
    link = np.full(frames.size, _NO_INTERFACE, np.uint16)
    for k in np.unique(number).tolist():
        if k >= len(section.interfaces):
            continue
        interface = section.interfaces[k]
        rows = np.flatnonzero(number == k)
        stamp[rows] = interface.microseconds(ticks[rows])
        link[rows] = interface.link
        if interface.snaplen:
            cut = rows[simple[rows]]
            captured[cut] = np.minimum(captured[cut], interface.snaplen)
    # A simple block carries no stamp: it takes that of the frame before it.
    dated = np.maximum.accumulate(np.where(simple, -1, np.arange(frames.size)))
    stamp = np.where(dated < 0, section.stamp, stamp[dated])
    if stamp.size:
        section.stamp = int(stamp[-1])
    body = np.where(simple, 12, 28)
    captured = np.clip(np.minimum(captured, length - body - 4), 0, LONGEST)
    return Records(
        buffer=buffer,
        start=positions + body,
        captured=captured,
        wire=np.maximum(wire, captured),
        stamp=stamp,
        link=link,
    )


def _interface(buffer: NDArray[np.uint8], at: int, order: str) -> Interface:
    """Read an interface description block and the two options that bear on time."""
    length, link = struct.unpack_from(f"{order}IH", buffer.data, at + 4)
    if length < 20:
        return Interface(_NO_INTERFACE, 0)
    (snaplen,) = struct.unpack_from(f"{order}I", buffer.data, at + 12)
    settings: dict[str, int] = {}
    option, end = at + 16, at + length - 4
    while option + 4 <= end:
        code, size = struct.unpack_from(f"{order}HH", buffer.data, option)
        value = buffer[option + 4 : min(option + 4 + size, end)].tobytes()
        if code == 0:
            break
        if code == _UNIT_OPTION and value:
            settings["unit"] = value[0]
        elif code == _OFFSET_OPTION and len(value) == 8:
            (settings["offset"],) = struct.unpack(f"{order}q", value)
        option += 4 + (size + 3) // 4 * 4
    return Interface(link, snaplen, **settings)
