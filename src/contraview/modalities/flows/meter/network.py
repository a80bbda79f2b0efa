"""Link and network headers: from a frame to the addresses and the begin of its transport."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt16
from numpy.typing import NDArray

from contraview.modalities.flows.meter.headers import (
    ETHERTYPE,
    GRE,
    IPV4,
    IPV6,
    IPV6_EXTENSION,
    gather,
)

# Verdicts; the order is that of the fields of MeterCounts.
OK, TRUNCATED, NOT_IP, UNKNOWN_LINK, MALFORMED, LATER_FRAGMENT, OUTSIDE_MODE = range(7)

LINK_TYPES: Final = {
    0: "BSD loopback",
    1: "Ethernet",
    12: "raw IP",
    14: "raw IP",
    101: "raw IP",
    108: "OpenBSD loopback",
    113: "Linux cooked v1",
    228: "raw IPv4",
    229: "raw IPv6",
    276: "Linux cooked v2",
}

# link type -> where the EtherType stands (None: none, the IP version tells), where it ends
_LINK_HEADER: Final = {
    **dict.fromkeys((12, 14, 101, 228, 229), (None, 0)),
    **dict.fromkeys((0, 108), (None, 4)),
    1: (12, 14),
    113: (14, 16),
    276: (0, 20),
}

_ETHERTYPE_IPV4, _ETHERTYPE_IPV6, _ETHERTYPE_BRIDGED = 0x0800, 0x86DD, 0x6558
_IS_VLAN: Final = np.isin(np.arange(65_536), (0x8100, 0x88A8, 0x9100))
_IS_IP: Final = np.isin(np.arange(65_536), (_ETHERTYPE_IPV4, _ETHERTYPE_IPV6))

IP_IN_IP, IPV6_IN_IP, GRE_PROTOCOL = 4, 41, 47
_NO_NEXT_HEADER, _AUTHENTICATION, _FRAGMENT = 59, 51, 44
# hop-by-hop, routing, fragment, authentication, destination, mobility, HIP, shim6
_EXTENSIONS: Final = np.isin(np.arange(256), (0, 43, 44, 51, 60, 135, 139, 140))

_LONGEST_CHAIN: Final = 8  # VLAN tags, extension headers
_DEEPEST_TUNNEL: Final = 4


@dataclass(slots=True)
class Network:
    """What the network header says, one entry a packet."""

    verdict: UInt8[np.ndarray, " n"]
    version: UInt8[np.ndarray, " n"]
    protocol: UInt8[np.ndarray, " n"]
    transport: Int64[np.ndarray, " n"]
    """Where the transport header begins in the buffer."""
    length: Int64[np.ndarray, " n"]
    """Bytes of the transport header and payload on the wire."""
    clamped: Bool[np.ndarray, " n"]
    tunnelled: Bool[np.ndarray, " n"]
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]

    def put(self, rows: NDArray[np.int64], other: "Network") -> None:
        """Overwrite ``rows`` with the entries of ``other``."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def take(self, rows: NDArray[np.int64]) -> "Network":
        """The entries of ``rows``."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def blank(cls, n: int, verdict: int) -> "Network":
        """``n`` packets of which nothing is known."""
        return cls(
            verdict=np.full(n, verdict, np.uint8),
            version=np.zeros(n, np.uint8),
            protocol=np.zeros(n, np.uint8),
            transport=np.zeros(n, np.int64),
            length=np.zeros(n, np.int64),
            clamped=np.zeros(n, bool),
            tunnelled=np.zeros(n, bool),
            src_hi=np.zeros(n, np.uint64),
            src_lo=np.zeros(n, np.uint64),
            dst_hi=np.zeros(n, np.uint64),
            dst_lo=np.zeros(n, np.uint64),
        )


def network_offset(
    buffer: UInt8[np.ndarray, " bytes"],
    start: Int64[np.ndarray, " n"],
    captured_end: Int64[np.ndarray, " n"],
    link: UInt16[np.ndarray, " n"],
) -> tuple[Int64[np.ndarray, " n"], UInt8[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Where each frame's IP header begins, a verdict, and whether the frame had VLAN tags."""
    at = np.zeros(start.shape, np.int64)
    verdict = np.full(start.shape, UNKNOWN_LINK, np.uint8)
    tagged = np.zeros(start.shape, bool)
    one_kind = link.size > 0 and bool((link == link[0]).all())
    for kind in link[:1].tolist() if one_kind else np.unique(link).tolist():
        if kind not in _LINK_HEADER:
            continue
        rows = slice(None) if one_kind else np.flatnonzero(link == kind)
        type_at, ends = _LINK_HEADER[kind]
        if type_at is None:
            at[rows] = start[rows] + ends
            verdict[rows] = OK
        else:
            at[rows], verdict[rows], tagged[rows] = _skip_tags(
                buffer, start[rows] + type_at, start[rows] + ends, captured_end[rows]
            )
    return at, verdict, tagged


def _skip_tags(
    buffer: NDArray[np.uint8],
    type_at: NDArray[np.int64],
    at: NDArray[np.int64],
    captured_end: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.bool_]]:
    """Follow VLAN tags from an EtherType to the network header."""
    ethertype = _ethertype(buffer, type_at, at <= captured_end)
    tagged = _IS_VLAN[ethertype]
    rows = np.flatnonzero(tagged)
    for _ in range(_LONGEST_CHAIN):
        if not rows.size:
            break
        at[rows] += 4
        ethertype[rows] = _ethertype(buffer, at[rows] - 2, at[rows] <= captured_end[rows])
        rows = rows[_IS_VLAN[ethertype[rows]]]
    verdict = np.where(
        _IS_IP[ethertype], OK, np.where(at > captured_end, TRUNCATED, NOT_IP)
    ).astype(np.uint8)
    return at, verdict, tagged


def _ethertype(
    buffer: NDArray[np.uint8], at: NDArray[np.int64], readable: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """The EtherType at each place, 0 where it was not captured."""
    here = np.where(readable, at, 0)
    return np.where(readable, gather(buffer, here, ETHERTYPE)["type"], 0).astype(np.uint16)


def read_network(
    buffer: UInt8[np.ndarray, " bytes"],
    at: Int64[np.ndarray, " n"],
    captured_end: Int64[np.ndarray, " n"],
    wire_end: Int64[np.ndarray, " n"],
) -> Network:
    """Read the IPv4 or IPv6 header at ``at``; the positions may lie outside the capture."""
    readable = at < captured_end
    version = np.where(readable, buffer[np.where(readable, at, 0)] >> 4, 0)
    readers = ((4, _read_ipv4), (6, _read_ipv6))
    for number, read in readers:
        if (version == number).all():  # the common case, without copies
            return read(buffer, at, captured_end, wire_end)
    found = Network.blank(at.size, NOT_IP)
    found.verdict[~readable] = TRUNCATED
    for number, read in readers:
        rows = np.flatnonzero(version == number)
        found.put(rows, read(buffer, at[rows], captured_end[rows], wire_end[rows]))
    return found


def _read_ipv4(
    buffer: NDArray[np.uint8],
    at: NDArray[np.int64],
    captured_end: NDArray[np.int64],
    wire_end: NDArray[np.int64],
) -> Network:
    header = gather(buffer, at, IPV4)
    header_length = (header["version_ihl"] & 15).astype(np.int64) * 4
    room = wire_end - at
    total = header["total"].astype(np.int64)
    # A total length of zero is what offloading to the network card leaves behind.
    total[total == 0] = room[total == 0]
    clamped = total > room
    total = np.minimum(total, room)
    transport = at + header_length
    verdict = np.zeros(at.shape, np.uint8)
    verdict[header["fragment"] & 0x1FFF != 0] = LATER_FRAGMENT
    verdict[(header_length < 20) | (total < header_length)] = MALFORMED
    verdict[np.maximum(transport, at + 20) > captured_end] = TRUNCATED
    unknown = np.zeros(at.shape, np.uint64)
    return Network(
        verdict=verdict,
        version=np.full(at.shape, 4, np.uint8),
        protocol=np.ascontiguousarray(header["protocol"]),
        transport=transport,
        length=total - header_length,
        clamped=clamped,
        tunnelled=np.zeros(at.shape, bool),
        src_hi=unknown,
        src_lo=header["src"].astype(np.uint64),
        dst_hi=unknown.copy(),
        dst_lo=header["dst"].astype(np.uint64),
    )


def _read_ipv6(
    buffer: NDArray[np.uint8],
    at: NDArray[np.int64],
    captured_end: NDArray[np.int64],
    wire_end: NDArray[np.int64],
) -> Network:
    whole = at + IPV6.itemsize <= captured_end
    header = gather(buffer, np.where(whole, at, 0), IPV6)
    room = wire_end - at - IPV6.itemsize
    payload = header["payload"].astype(np.int64)
    payload[payload == 0] = room[payload == 0]  # a jumbogram, or offloading
    clamped = payload > room
    payload_end = at + IPV6.itemsize + np.minimum(payload, room)
    protocol = header["next"].astype(np.uint8)
    transport = at + IPV6.itemsize
    verdict = np.where(whole, OK, TRUNCATED).astype(np.uint8)
    rows = np.flatnonzero(whole & _EXTENSIONS[protocol])
    for _ in range(_LONGEST_CHAIN):
        if not rows.size:
            break
        here = transport[rows]
        cut = here + IPV6_EXTENSION.itemsize > captured_end[rows]
        verdict[rows[cut]] = TRUNCATED
        rows, here = rows[~cut], here[~cut]
        extension = gather(buffer, here, IPV6_EXTENSION)
        kind, length = protocol[rows], extension["length"].astype(np.int64)
        transport[rows] += np.select(
            [kind == _FRAGMENT, kind == _AUTHENTICATION], [8, 4 * length + 8], 8 * length + 8
        )
        later = (kind == _FRAGMENT) & (extension["fragment"] & 0xFFF8 != 0)
        verdict[rows[later]] = LATER_FRAGMENT
        protocol[rows] = extension["next"]
        rows = rows[~later & _EXTENSIONS[protocol[rows]]]
    verdict[rows] = MALFORMED  # a chain without an end
    length = payload_end - transport
    verdict[(verdict == OK) & (length < 0)] = MALFORMED
    verdict[(verdict == OK) & (transport > captured_end)] = TRUNCATED
    return Network(
        verdict=verdict,
        version=np.full(at.shape, 6, np.uint8),
        protocol=protocol,
        transport=transport,
        length=length,
        clamped=clamped,
        tunnelled=np.zeros(at.shape, bool),
        src_hi=header["src_hi"].astype(np.uint64),
        src_lo=header["src_lo"].astype(np.uint64),
        dst_hi=header["dst_hi"].astype(np.uint64),
        dst_lo=header["dst_lo"].astype(np.uint64),
    )


def open_tunnels(
    buffer: UInt8[np.ndarray, " bytes"], network: Network, captured_end: Int64[np.ndarray, " n"]
) -> None:
    """Replace, in place, what a tunnel carries for the tunnel: GRE, IP-in-IP, 6in4, 4in6.

    A tunnel whose inside cannot be read stays a flow of its own protocol.
    """
    is_tunnel = np.isin(np.arange(256), (IP_IN_IP, IPV6_IN_IP, GRE_PROTOCOL))
    for _ in range(_DEEPEST_TUNNEL):
        rows = np.flatnonzero((network.verdict == OK) & is_tunnel[network.protocol])
        if not rows.size:
            return
        inner_at, readable = _tunnel_inside(buffer, network.take(rows), captured_end[rows])
        rows, inner_at = rows[readable], inner_at[readable]
        wire_end = network.transport[rows] + network.length[rows]
        inner = read_network(buffer, inner_at, captured_end[rows], wire_end)
        good = np.flatnonzero((inner.verdict == OK) | (inner.verdict == LATER_FRAGMENT))
        inner.tunnelled[:] = True
        network.put(rows[good], inner.take(good))


def _tunnel_inside(
    buffer: NDArray[np.uint8], outer: Network, captured_end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the inner IP header would begin, and whether there can be one."""
    at = outer.transport.copy()
    readable = np.ones(at.shape, bool)
    rows = np.flatnonzero(outer.protocol == GRE_PROTOCOL)
    if rows.size:
        whole = at[rows] + GRE.itemsize <= captured_end[rows]
        header = gather(buffer, np.where(whole, at[rows], 0), GRE)
        flags = header["flags"].astype(np.int64)
        # RFC 2784, 2890: optional checksum, key and sequence number; version 0, no routing.
        optional = (flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1)
        at[rows] += GRE.itemsize + 4 * optional
        bridged = header["type"] == _ETHERTYPE_BRIDGED
        is_ip = _IS_IP[header["type"]]
        readable[rows] = whole & (flags & 0x4007 == 0) & (is_ip | bridged)
        frames = rows[bridged & readable[rows]]
        if frames.size:
            at[frames], verdict, _ = _skip_tags(
                buffer, at[frames] + 12, at[frames] + 14, captured_end[frames]
            )
            readable[frames] = verdict == OK
    return at, readable
