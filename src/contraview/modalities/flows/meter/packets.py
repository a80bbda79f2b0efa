"""Frames to packets: one column for each fact the statistics need."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Int32, Int64, UInt8, UInt16
from numpy.typing import NDArray

from contraview.modalities.flows.community_id import ICMP_ANSWERS, ICMPV6_ANSWERS
from contraview.modalities.flows.meter.feed import Records
from contraview.modalities.flows.meter.headers import TRANSPORT, gather
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.network import (
    MALFORMED,
    OK,
    OUTSIDE_MODE,
    TRUNCATED,
    UNKNOWN_LINK,
    Network,
    network_offset,
    open_tunnels,
    read_network,
)

ICMP, IGMP, TCP, UDP, ICMPV6, SCTP = 1, 2, 6, 17, 58, 132
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


def _table(values: dict[int, int]) -> NDArray[np.int64]:
    table = np.zeros(256, np.int64)
    table[list(values)] = list(values.values())
    return table


_HEADER: Final = _table({ICMP: 8, IGMP: 8, UDP: 8, ICMPV6: 8, SCTP: 12})
_NEEDED: Final = _table({ICMP: 2, UDP: 4, ICMPV6: 2, SCTP: 4, TCP: TRANSPORT.itemsize})
"""Bytes of the header that must have been captured."""
_HAS_PORTS: Final = np.isin(np.arange(256), (TCP, UDP, SCTP))
_LYCOS_READS: Final = np.isin(np.arange(256), (ICMP, IGMP, TCP, UDP, SCTP))
_ICMP_ANSWER: Final = _table({**dict.fromkeys(range(256), -1), **ICMP_ANSWERS})
_ICMPV6_ANSWER: Final = _table({**dict.fromkeys(range(256), -1), **ICMPV6_ANSWERS})


@dataclass(slots=True)
class Packets:
    """The packets that can be metered, in the order of the capture."""

    time: Int64[np.ndarray, " n"]
    """On the meter's clock (microseconds)."""
    stamp: Int64[np.ndarray, " n"]
    """Microseconds since 1970 (UTC)."""
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    src_port: UInt16[np.ndarray, " n"]
    dst_port: UInt16[np.ndarray, " n"]
    protocol: UInt8[np.ndarray, " n"]
    version: UInt8[np.ndarray, " n"]
    payload: Int64[np.ndarray, " n"]
    """Bytes after the transport header."""
    header: Int64[np.ndarray, " n"]
    """Bytes of the transport header."""
    flags: UInt8[np.ndarray, " n"]
    """TCP flags; 0 for other protocols."""
    window: Int32[np.ndarray, " n"]
    """TCP window as sent; -1 for other protocols."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The packets of a window, and what became of its frames."""

    packets: Packets
    frames: Int64[np.ndarray, " n"]
    """Which frame of the window each packet is."""
    verdicts: list[int]
    """Frames by verdict (network.OK and following)."""
    clamped: int
    tunnels: int


def decode(
    records: Records,
    time: Int64[np.ndarray, " n"],
    stamp: Int64[np.ndarray, " n"],
    mode: Mode,
) -> Decoded:
    """Read the headers of every frame; what cannot be metered is counted by kind."""
    buffer = records.buffer
    captured_end = records.start + records.captured
    wire_end = records.start + records.wire
    at, link_verdict, tagged = network_offset(buffer, records.start, captured_end, records.link)
    if link_verdict.any():
        rows = np.flatnonzero(link_verdict == OK)
        network = Network.blank(at.size, UNKNOWN_LINK)
        network.verdict[:] = link_verdict
        network.put(rows, read_network(buffer, at[rows], captured_end[rows], wire_end[rows]))
    else:
        network = read_network(buffer, at, captured_end, wire_end)
    if mode.lycos:
        read = (network.version == 4) & ~tagged & _LYCOS_READS[network.protocol]
        network.verdict[(network.verdict == OK) & ~read] = OUTSIDE_MODE
    else:
        open_tunnels(buffer, network, captured_end)
    src_port, dst_port, header, flags, window = _read_transport(buffer, network, captured_end, mode)
    rejected = network.verdict != OK
    frames = np.flatnonzero(~rejected)
    kept = frames if rejected.any() else slice(None)
    packets = Packets(
        time=time[kept],
        stamp=stamp[kept],
        src_hi=network.src_hi[kept],
        src_lo=network.src_lo[kept],
        dst_hi=network.dst_hi[kept],
        dst_lo=network.dst_lo[kept],
        src_port=src_port[kept],
        dst_port=dst_port[kept],
        protocol=network.protocol[kept],
        version=network.version[kept],
        payload=network.length[kept] - header[kept],
        header=header[kept],
        flags=flags[kept],
        window=window[kept],
    )
    return Decoded(
        packets,
        frames,
        verdicts=np.bincount(network.verdict, minlength=OUTSIDE_MODE + 1).tolist(),
        clamped=int(np.count_nonzero(network.clamped[kept])),
        tunnels=int(np.count_nonzero(network.tunnelled[kept])),
    )


def _read_transport(
    buffer: NDArray[np.uint8], network: Network, captured_end: NDArray[np.int64], mode: Mode
) -> tuple[
    NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int32]
]:
    """Ports, header length, flags and window; marks in ``network.verdict`` what cannot be read."""
    verdict, protocol = network.verdict, network.protocol
    fields = gather(buffer, np.where(verdict == OK, network.transport, 0), TRANSPORT)
    is_tcp = protocol == TCP
    header = np.where(is_tcp, (fields["offset"] >> 4).astype(np.int64) * 4, _HEADER[protocol])
    needed = _NEEDED[protocol]
    uncaptured = network.transport + needed > captured_end
    contradictory = (header > network.length) | (is_tcp & (header < 20))
    verdict[(verdict == OK) & (network.length < needed)] = MALFORMED
    verdict[(verdict == OK) & uncaptured] = TRUNCATED
    verdict[(verdict == OK) & contradictory] = MALFORMED

    has_ports = _HAS_PORTS[protocol]
    src_port = np.where(has_ports, fields["src_port"], 0).astype(np.uint16)
    dst_port = np.where(has_ports, fields["dst_port"], 0).astype(np.uint16)
    for number, answers in ((ICMP, _ICMP_ANSWER), (ICMPV6, _ICMPV6_ANSWER)):
        rows = np.flatnonzero(protocol == number) if not mode.lycos else ()
        if len(rows):
            kind, code = np.divmod(fields["src_port"][rows].astype(np.int64), 256)
            src_port[rows] = kind
            dst_port[rows] = np.where(answers[kind] < 0, code, answers[kind])
    flags = np.where(is_tcp, fields["flags"], 0).astype(np.uint8)
    window = np.where(is_tcp, fields["window"].astype(np.int32), -1)
    return src_port, dst_port, header, flags, window
