"""Frames as captures, and records of flows as datagrams."""

import gzip
import socket
import struct

from tests.fuzz.pack import PARTED

from contraview.modalities.flows.kinds.nfdump import NFDUMP
from contraview.modalities.flows.live.netflow import NetflowSource

_SECONDS, _UPTIME = 1_700_000_000, 100_000
_FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 4), (22, 4), (21, 4))


def _frames() -> list[bytes]:
    """TCP and UDP over IPv4, ICMPv6, a tagged frame, a fragment, one that is cut."""
    ends = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
    head = b"\x02" * 12

    def ipv4(protocol: int, body: bytes, fragment: int = 0, turned: bool = False) -> bytes:
        source, target = reversed(ends) if turned else ends
        size = 20 + len(body)
        return (
            struct.pack(">BBHHHBBH", 0x45, 0, size, 7, fragment, 64, protocol, 0)
            + source
            + target
            + body
        )

    def tcp(flags: int, ports: tuple[int, int]) -> bytes:
        return struct.pack(">HHIIBBHHH", *ports, 1, 1, 0x50, flags, 1000, 0, 0) + b"hello"

    there, back = (40_000, 443), (443, 40_000)
    udp = struct.pack(">HHHH", 5353, 53, 12, 0) + b"abcd"
    icmp6 = struct.pack(">BBHI", 128, 0, 0, 0)
    ipv6 = struct.pack(">IHBB", 6 << 28, len(icmp6), 58, 64) + bytes(31) + b"\1" + bytes(16) + icmp6
    kind4, kind6, tag = b"\x08\x00", b"\x86\xdd", b"\x81\x00\x00\x05"
    return [
        head + kind4 + ipv4(6, tcp(2, there)),
        head + kind4 + ipv4(6, tcp(18, back), turned=True),
        head + kind4 + ipv4(6, tcp(16, there)),
        head + kind4 + ipv4(6, tcp(17, there)),
        head + tag + kind4 + ipv4(17, udp),
        head + kind4 + ipv4(17, udp, fragment=0x2001),
        head + kind6 + ipv6,
        (head + kind4 + ipv4(6, tcp(4, back)))[:30],
    ]


def pcap() -> list[bytes]:
    """Both byte orders and units of time, raw IP, gzip, cut short."""
    made = []
    for order, magic, link in (("<", 0xA1B2C3D4, 1), (">", 0xA1B23C4D, 1), ("<", 0xA1B2C3D4, 101)):
        content = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65_535, link)
        for k, frame in enumerate(_frames()):
            body = frame[14:] if link == 101 else frame
            content += struct.pack(f"{order}IIII", _SECONDS + k, k, len(body), len(body)) + body
        made.append(content)
    return [*made, gzip.compress(made[0], mtime=0), made[0][:-9]]


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def pcapng() -> list[bytes]:
    """Both byte orders, units of time, simple blocks."""
    made = []
    for order in "<>":
        content = _block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
        options = struct.pack(f"{order}HHBxxxHHqHH", 9, 1, 9, 14, 8, 5, 0, 0)
        content += _block(order, 1, struct.pack(f"{order}HHI", 1, 0, 65_535) + options)
        content += _block(order, 1, struct.pack(f"{order}HHI", 101, 0, 0))
        for k, frame in enumerate(_frames()):
            stamp = (_SECONDS + k) * 1_000_000_000
            head = (0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
            content += _block(order, 6, struct.pack(f"{order}IIIII", *head) + frame)
        content += _block(order, 3, struct.pack(f"{order}I", 54) + _frames()[0])
        content += _block(order, 5, bytes(20))
        made.append(content)
    return [*made, made[0][:-9], made[0] + made[1]]


def _record() -> bytes:
    ends = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    times = _UPTIME - 5_000, _UPTIME - 2_500
    return ends + struct.pack(">HHBBIIII", 40_000, 443, 6, 27, 10, 4000, *times)


def netflow() -> list[bytes]:
    """Versions 5, 9 and IPFIX; a template and its data in one datagram and in two."""
    head5 = struct.pack(">HHIIIIBBH", 5, 1, _UPTIME, _SECONDS, 0, 0, 0, 0, 0)
    counts = (0, 0, 10, 4000, _UPTIME - 5_000, _UPTIME - 2_500, 40_000, 443)
    record5 = socket.inet_aton("10.0.0.1") * 3 + struct.pack(">HHIIIIHH", *counts)
    five = head5 + record5 + struct.pack(">BBBBHHBBH", 0, 27, 6, 0, 0, 0, 0, 0, 0)
    layout = b"".join(struct.pack(">HH", *field) for field in _FIELDS)
    body = struct.pack(">HH", 300, len(_FIELDS)) + layout
    template = struct.pack(">HH", 0, 4 + len(body)) + body
    data = _record() + b"\0" * (-len(_record()) % 4)
    data = struct.pack(">HH", 300, 4 + len(data)) + data

    def nine(count: int, sets: bytes, sequence: int) -> bytes:
        return struct.pack(">HHIIII", 9, count, _UPTIME, _SECONDS, sequence, 7) + sets

    ten = struct.pack(">HH", 2, 4 + len(body)) + body + data
    ten = struct.pack(">HHIII", 10, 16 + len(ten), _SECONDS, 0, 7) + ten
    both = PARTED.join([nine(1, template, 1), nine(1, data, 2)])
    return [five, nine(2, template + data, 1), both, ten]


def listen(content: bytes) -> None:
    """Send the datagrams of an input to a port, and read what came."""
    source = NetflowSource("127.0.0.1", 0, (), NFDUMP.categorical)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in content.split(PARTED):
                sender.sendto(datagram[:65_000], ("127.0.0.1", source.port))
        source.read(0.0)
    finally:
        source.close()
