"""Writes the capture: headers as they were, no payload, nothing that does not help a meter."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

SNAPLEN = 96
_GLOBAL_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1)
_ETHERNET, _IPV4 = 14, b"\x08\x00"
_ICMP, _TCP, _UDP = 1, 6, 17
_END_OF_OPTIONS, _NO_OPERATION, _TIMESTAMP = 0, 1, 8
_CHECKSUM = {_ICMP: 2, _TCP: 16, _UDP: 6}


def scrub(frame: bytes) -> bytes:
    """The first 96 bytes of `frame` without its payload.

    Lengths, ports, flags, sequence numbers, windows and the kinds of options stay. Set to zero,
    besides the payload: what cannot be checked without it (checksums), and what is mere noise to a
    flow meter and does not compress (IP identification, values of the TCP timestamp option).
    """
    kept = bytearray(frame[:SNAPLEN])
    if frame[12:14] != _IPV4:
        return bytes(kept)
    transport = _ETHERNET + (frame[_ETHERNET] & 0x0F) * 4
    protocol = frame[_ETHERNET + 9]
    _clear(kept, _ETHERNET + 4, _ETHERNET + 6)
    _clear(kept, _ETHERNET + 10, _ETHERNET + 12)
    if protocol in _CHECKSUM:
        at = transport + _CHECKSUM[protocol]
        _clear(kept, at, at + 2)
    end = transport + ((frame[transport + 12] >> 4) * 4 if protocol == _TCP else 8)
    if protocol == _TCP:
        for at in _timestamp_options(frame, transport + 20, end):
            _clear(kept, at + 2, at + 10)
    _clear(kept, end, SNAPLEN)
    return bytes(kept)


def _timestamp_options(frame: bytes, at: int, end: int) -> Iterator[int]:
    while at < end and frame[at] != _END_OF_OPTIONS:
        if frame[at] == _NO_OPERATION:
            at += 1
        else:
            if frame[at] == _TIMESTAMP:
                yield at
            at += max(frame[at + 1], 2)


def _clear(kept: bytearray, start: int, end: int) -> None:
    end = min(end, len(kept))
    kept[start:end] = bytes(max(0, end - start))


class Capture:
    """A gzipped pcap file with microsecond times, in place only when closed without an error."""

    def __init__(self, path: Path, clock_ahead: float = 0.0):
        self.path, self.clock_ahead = path, clock_ahead
        self.packets = 0
        self._partial = path.with_name(path.name + ".partial")
        # No name and no time in the gzip header: the same frames give the same file.
        self._raw = self._partial.open("wb")
        self._file = gzip.GzipFile("", "wb", 9, self._raw, mtime=0)
        self._file.write(_GLOBAL_HEADER)

    def write(self, when: float, frame: bytes) -> None:
        """Records `frame`, seen at `when` (seconds since 1970, UTC), dated `clock_ahead` later."""
        kept = scrub(frame)
        microseconds = round((when + self.clock_ahead) * 1e6)
        seconds, rest = divmod(microseconds, 1_000_000)
        self._file.write(struct.pack("<IIII", seconds, rest, len(kept), len(frame)) + kept)
        self.packets += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._raw.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink()
