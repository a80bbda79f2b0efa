"""A switch in user space: it carries the frames between the hosts, late as their links are, and
records them.

Many kernels have no network emulator, so delay, jitter, rate and loss of each link are made here.
Every frame is recorded once, with the time at which it stood at the switch.
"""

import heapq
import select
import socket
import struct
from collections.abc import Sequence
from random import Random
from time import time

from lab.capture import Capture
from lab.plan import Link

_SO_TIMESTAMPNS = 35
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_PACKET_OUTGOING = 4
_EVERY_PROTOCOL = 0x0003
_AT_SWITCH = -1


class _Way:
    """One direction of a link. Frames wait for those before them and never overtake."""

    def __init__(self, link: Link, draw: Random):
        self.link, self.draw = link, draw
        self.sent = self.arrived = 0.0

    def cross(self, since: float, size: int) -> float:
        """When a frame of `size` bytes that is there at `since` has crossed the link."""
        self.sent = max(since, self.sent) + size * 8 / self.link.rate
        jitter = self.draw.expovariate(1) * self.link.jitter
        self.arrived = max(self.arrived + 1e-6, self.sent + self.link.delay + jitter)
        return self.arrived

    def loses(self) -> bool:
        return self.draw.random() < self.link.loss


class Switch:
    """Joins interfaces of this network namespace; host i with `macs[i]` is behind port i."""

    def __init__(
        self, interfaces: Sequence[str], macs: Sequence[bytes], links: Sequence[Link], seed: int
    ):
        draw = Random(f"switch/{seed}")
        self._sockets = [_listen(name) for name in interfaces]
        self._up = [_Way(link, draw) for link in links]
        self._down = [_Way(link, draw) for link in links]
        self._behind = {mac: port for port, mac in enumerate(macs)}
        self._due: list[tuple[float, int, int, bytes]] = []  # time, tie breaker, port, frame
        self._count = 0

    def run(self, capture: Capture, until: float) -> None:
        """Carries and records frames until the clock says `until`."""
        ports = {sock: port for port, sock in enumerate(self._sockets)}
        while (now := time()) < until:
            wait = min(self._due[0][0] - now, until - now) if self._due else 0.2
            ready, _, _ = select.select(list(ports), [], [], max(wait, 0))
            for sock in ready:
                self._receive(ports[sock])
            while self._due and self._due[0][0] <= time():
                stood, _, port, frame = heapq.heappop(self._due)
                if port == _AT_SWITCH:
                    capture.write(stood, frame)
                    self._forward(stood, frame)
                else:
                    self._sockets[port].send(frame)

    def dropped(self) -> int:
        """Frames that the kernel could not hand over since the last call: 0 where all is well."""
        size = struct.calcsize("II")
        counts = [s.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, size) for s in self._sockets]
        return sum(struct.unpack("II", count)[1] for count in counts)

    def _receive(self, port: int) -> None:
        while True:
            try:
                frame, notes, _, sender = self._sockets[port].recvmsg(65_536, 64)
            except BlockingIOError:
                return
            way = self._up[port]
            if sender[2] != _PACKET_OUTGOING and not way.loses():
                seconds, nanoseconds = struct.unpack("qq", notes[0][2])
                self._push(way.cross(seconds + nanoseconds / 1e9, len(frame)), _AT_SWITCH, frame)

    def _forward(self, stood: float, frame: bytes) -> None:
        port = self._behind.get(frame[:6])
        source = self._behind.get(frame[6:12])
        everyone = [p for p in range(len(self._sockets)) if p != source]
        for target in everyone if port is None else [port]:
            way = self._down[target]
            if not way.loses():
                self._push(way.cross(stood, len(frame)), target, frame)

    def _push(self, when: float, port: int, frame: bytes) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, port, frame))


def _listen(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind((interface, _EVERY_PROTOCOL))
    sock.setblocking(False)
    return sock
