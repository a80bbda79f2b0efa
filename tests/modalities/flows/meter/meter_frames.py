"""Builds frames and captures byte by byte."""

import ipaddress
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
START = 1_700_000_000_000_000  # microseconds


def tcp(sport, dport, payload=0, flags=ACK, window=1000, options=0):
    head = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, (20 + options) << 2, flags, window, 0, 0)
    return 6, head + bytes(options) + bytes(payload)


def udp(sport, dport, payload=0):
    return 17, struct.pack(">HHHH", sport, dport, 8 + payload, 0) + bytes(payload)


def icmp(kind, code=0, payload=0, protocol=1):
    return protocol, struct.pack(">BBHI", kind, code, 0, 0) + bytes(payload)


def ipv4(src, dst, transport, *, options=0, fragment=0, total=None):
    protocol, body = transport
    size = 20 + options
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | size // 4,
        0,
        size + len(body) if total is None else total,
        7,
        fragment,
        64,
        protocol,
        0,
        ipaddress.IPv4Address(src).packed,
        ipaddress.IPv4Address(dst).packed,
    )
    return head + bytes(options) + body


def ipv6(src, dst, transport, *, extensions=(), payload=None):
    """``extensions`` are (header number, bytes after its next-header byte)."""
    protocol, body = transport
    numbers = [number for number, _ in extensions] + [protocol]
    for (_, rest), following in reversed(list(zip(extensions, numbers[1:], strict=True))):
        body = bytes([following]) + rest + body
    size = len(body) if payload is None else payload
    addresses = ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed
    return struct.pack(">IHBB", 6 << 28, size, numbers[0], 64) + addresses + body


def ip(src, dst, transport):
    return (ipv6 if ":" in src else ipv4)(src, dst, transport)


def ethernet(packet, *, tags=(), kind=None):
    if kind is None:
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    tagged = b"".join(struct.pack(">HH", tag, 5) for tag in tags)
    return bytes(12) + tagged + struct.pack(">H", kind) + packet


def gre(inner, *, kind=0x0800, flags=0):
    optional = 4 * sum(flags >> bit & 1 for bit in (15, 13, 12))
    return 47, struct.pack(">HH", flags, kind) + bytes(optional) + inner


def pcap(frames, *, order="<", nano=False, link=1, snaplen=262_144):
    """``frames`` are (microseconds, bytes) or (microseconds, bytes, bytes on the wire)."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for stamp, frame, *wire in frames:
        seconds, fraction = divmod(stamp, 1_000_000)
        held = frame[:snaplen]
        out.append(
            struct.pack(
                f"{order}IIII",
                seconds,
                fraction * (1000 if nano else 1),
                len(held),
                wire[0] if wire else len(frame),
            )
        )
        out.append(held)
    return b"".join(out)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order="<", comment=b""):
    options = struct.pack(f"{order}HH", 1, len(comment)) + comment if comment else b""
    options += bytes(-len(options) % 4)
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(order="<", link=1, snaplen=0, unit=None, offset=None):
    options = b""
    if unit is not None:
        options += struct.pack(f"{order}HHB3x", 9, 1, unit)
    if offset is not None:
        options += struct.pack(f"{order}HHq", 14, 8, offset)
    return block(1, struct.pack(f"{order}HHI", link, 0, snaplen) + options, order)


def enhanced(ticks, frame, order="<", number=0):
    head = struct.pack(
        f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    return block(6, head + frame, order)


def simple(frame, order="<"):
    return block(3, struct.pack(f"{order}I", len(frame)) + frame, order)
