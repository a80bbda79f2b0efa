"""An interface of this machine (Linux): packets from a ring that the kernel fills.

The kernel writes packets into memory shared with it (AF_PACKET, TPACKET_V3), whole blocks at a
time, and counts those it had no room for; no packet is copied by a call of its own.
"""

import mmap
import os
import select
import socket
import struct
import sys
from typing import Any, Final

import numpy as np

from contraview.core.errors import InputError
from contraview.modalities.flows.live.packets import Arrival
from contraview.modalities.flows.meter.feed import Records
from contraview.modalities.flows.meter.headers import PADDING

BLOCK: Final = 1 << 20
BLOCKS: Final = 64
"""64 MB of packets may wait."""
MOST: Final = 8
"""Blocks taken together."""
RETIRE: Final = 100
"""Milliseconds after which the kernel hands over a block that is not full."""

_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION = 263, 5, 6, 10
_TPACKET_V3: Final = 2
_ALL: Final = 0x0003
_USER: Final = 1  # the block is ours
_BLOCK_HEADER: Final = struct.Struct("=IIIII")  # version, private, status, packets, first packet
_STATUS_AT: Final = 8
_PACKET: Final = struct.Struct("=IIIIIIHH")  # next, s, ns, captured, wire, status, mac, net
_ETHERNET, _LOOPBACK = 1, 772
_RAW: Final = {519, 65534, 768, 769, 776}  # ppp-less tunnels: the frame is the IP packet
_LINK_ETHERNET, _LINK_RAW = 1, 101


def is_interface(name: str) -> bool:
    """Whether this machine has an interface of this name."""
    return name in {known for _, known in socket.if_nameindex()}


class InterfaceSupply:
    """The packets of an interface, as they come.

    Raises:
        InputError: this process may not capture, or this system has no such sockets.
    """

    replayable = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = _open(name)
        self._ring = mmap.mmap(self._socket.fileno(), BLOCK * BLOCKS)
        self._bytes = np.frombuffer(self._ring, np.uint8)
        self._socket.bind((name, 0))
        hardware = self._socket.getsockname()[3]
        self._link = _LINK_RAW if hardware in _RAW else _LINK_ETHERNET
        self._next = 0
        self._given: list[int] = []
        self._statistics()

    def next(self, wait: float) -> Arrival | None:
        """The packets of the blocks that are ready."""
        self._give_back()
        if not self._ready(self._next):
            select.select([self._socket], [], [], wait)
        headers: list[tuple[int, ...]] = []
        while len(self._given) < MOST and self._ready(self._next):
            self._walk(self._next, headers)
            self._given.append(self._next)
            self._next = (self._next + 1) % BLOCKS
        dropped = self._statistics()
        waiting = sum(self._ready(k) for k in range(BLOCKS)) - len(self._given)
        return Arrival(self._records(headers), dropped, waiting * BLOCK, "bytes at most")

    def place(self) -> dict[str, Any]:
        """What went by cannot be read again."""
        return {}

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        del self._bytes

    def _ready(self, block: int) -> bool:
        return self._ring[block * BLOCK + _STATUS_AT] & _USER == 1

    def _walk(self, block: int, headers: list[tuple[int, ...]]) -> None:
        begin = block * BLOCK
        _, _, _, packets, first = _BLOCK_HEADER.unpack_from(self._ring, begin)
        at = begin + first
        for _ in range(packets):
            after, seconds, nano, captured, wire, _, mac, _ = _PACKET.unpack_from(self._ring, at)
            headers.append((at + mac, captured, wire, seconds * 1_000_000 + nano // 1000))
            at += after

    def _records(self, headers: list[tuple[int, ...]]) -> Records | None:
        if not headers:
            return None
        start, captured, wire, stamp = np.array(headers, np.int64).T
        # The meter looks a little beyond a frame: the last block needs room after it.
        buffer = self._bytes
        if start[-1] + captured[-1] + PADDING > buffer.size:
            buffer = np.concatenate([buffer, np.zeros(PADDING, np.uint8)])
        link = np.full(start.size, self._link, np.uint16)
        return Records(buffer, start.copy(), captured.copy(), wire.copy(), stamp.copy(), link)

    def _give_back(self) -> None:
        for block in self._given:
            self._ring[block * BLOCK + _STATUS_AT : block * BLOCK + _STATUS_AT + 4] = bytes(4)
        self._given = []

    def _statistics(self) -> int:
        """Packets dropped since this was last asked."""
        told = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        return struct.unpack("=III", told)[1]


def _open(name: str) -> socket.socket:
    if not hasattr(socket, "AF_PACKET"):
        raise InputError(f"{name}: interfaces are read on Linux only; expected a capture")
    try:
        found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    except PermissionError:
        raise InputError(
            f"{name}: capturing needs the capability cap_net_raw: run it with sudo, or grant it "
            f"once with: sudo setcap cap_net_raw+ep {os.path.realpath(sys.executable)}"
        ) from None
    try:
        found.setsockopt(_SOL_PACKET, _VERSION, struct.pack("=I", _TPACKET_V3))
        frame = 1 << 11
        request = (BLOCK, BLOCKS, frame, BLOCK * BLOCKS // frame, RETIRE, 0, 0)
        found.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("=7I", *request))
    except OSError as error:
        found.close()
        raise InputError(f"{name}: no ring of packets can be had ({error.strerror})") from None
    return found
