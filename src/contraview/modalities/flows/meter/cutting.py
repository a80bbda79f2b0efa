"""The packets of chosen flows, cut out of a capture into a pcap file."""

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from contraview.modalities.flows.meter.capture import read_windows
from contraview.modalities.flows.meter.clock import Clock
from contraview.modalities.flows.meter.feed import LONGEST, Feed, Records
from contraview.modalities.flows.meter.grouping import Ends, conversation_hash
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.packets import Packets, decode
from contraview.modalities.flows.meter.windows import WINDOW

COLUMNS: Final = (
    *("src_addr", "src_port", "dst_addr", "dst_port", "ip_prot"),
    *("timestamp", "last_seen"),
)
"""What tells a metered flow from every other: its ends, protocol and times."""
_KEY: Final = ("hi_a", "lo_a", "port_a", "hi_b", "lo_b", "port_b", "service")
_FILE: Final = struct.Struct("<IHHiIII")
_RECORD: Final = struct.Struct("<IIII")


@dataclass
class Cut:
    """How many packets were written, and how many not since they have another link type."""

    packets: int = 0
    other_link: int = 0


def cut_out(
    captures: Sequence[Path | str], flows: pl.DataFrame, out: BufferedIOBase, *, mode: str = "std"
) -> Cut:
    """Write the packets of ``flows`` to ``out`` as a pcap file, in one more pass, window by window.

    A packet belongs to a flow by its ends, either way, and its time on the meter's clock. Later
    fragments carry no ports and are left out. A pcap file has one link type: that of the first
    packet written.

    Args:
        captures: what the flows were metered from.
        flows: rows of the meter with `COLUMNS`.
        out: takes the bytes.
        mode: of the meter.
    """
    wanted = _Wanted(flows)
    cut, link = Cut(), None
    for capture in captures:
        feed, clock, settings = Feed(capture), Clock(), Mode.named(mode)
        try:
            for records in read_windows(feed, WINDOW):
                axis, stamps, _ = clock.read(records.stamp)
                decoded = decode(records, axis, stamps, settings)
                for frame in decoded.frames[wanted.among(decoded.packets)].tolist():
                    if link is None:
                        link = int(records.link[frame])
                        out.write(_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, LONGEST, link))
                    if records.link[frame] == link:
                        out.write(_record(records, frame))
                        cut.packets += 1
                    else:
                        cut.other_link += 1
        finally:
            feed.close()
    if link is None:
        out.write(_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, LONGEST, 1))
    return cut


def _record(records: Records, frame: int) -> bytes:
    start, captured = int(records.start[frame]), int(records.captured[frame])
    seconds, micros = divmod(int(records.stamp[frame]), 1_000_000)
    head = _RECORD.pack(seconds, micros, captured, int(records.wire[frame]))
    return head + records.buffer[start : start + captured].tobytes()


class _Wanted:
    """Chosen flows, ready to be looked up by packet."""

    def __init__(self, flows: pl.DataFrame) -> None:
        pairs = flows.select("src_addr", "dst_addr").iter_rows()
        ends = [tuple(map(ipaddress.ip_address, pair)) for pair in pairs]

        def half(end: int, shift: int) -> np.ndarray:
            lower = (1 << 64) - 1
            return np.array([int(pair[end]) >> shift & lower for pair in ends], np.uint64)

        version = np.array([pair[0].version for pair in ends], np.uint64)
        known = Ends(
            half(0, 64),
            half(0, 0),
            half(1, 64),
            half(1, 0),
            flows["src_port"].to_numpy().astype(np.uint64),
            flows["dst_port"].to_numpy().astype(np.uint64),
            version << np.uint64(8) | flows["ip_prot"].to_numpy().astype(np.uint64),
        )
        self._hashes = np.unique(conversation_hash(known))
        times = {name: flows[name].dt.epoch("us") for name in ("timestamp", "last_seen")}
        self._flows = _keys(known).with_columns(**times).sort("timestamp")

    def among(self, packets: Packets) -> np.ndarray:
        """Which of the packets belong to a chosen flow, by their place."""
        service = packets.version.astype(np.uint64) << np.uint64(8) | packets.protocol
        ends = Ends(
            packets.src_hi,
            packets.src_lo,
            packets.dst_hi,
            packets.dst_lo,
            packets.src_port.astype(np.uint64),
            packets.dst_port.astype(np.uint64),
            service,
        )
        likely = np.flatnonzero(np.isin(conversation_hash(ends), self._hashes))
        chosen = Ends(*(getattr(ends, name)[likely] for name in Ends.__slots__))
        stamps = pl.DataFrame({"place": likely, "stamp": packets.stamp[likely]})
        # Flows of the same ends do not overlap: the last that had begun is the one.
        found = (
            pl.concat([_keys(chosen), stamps], how="horizontal")
            .sort("stamp", maintain_order=True)
            .join_asof(
                self._flows,
                left_on="stamp",
                right_on="timestamp",
                by=list(_KEY),
                check_sortedness=False,
            )
            .filter(pl.col("stamp") <= pl.col("last_seen"))
        )
        return found["place"].sort().to_numpy()


def _keys(ends: Ends) -> pl.DataFrame:
    """Both ends in an order that does not depend on the direction, and the service."""
    src, dst = (
        (getattr(ends, f"{end}_hi"), getattr(ends, f"{end}_lo"), getattr(ends, f"{end}_port"))
        for end in ("src", "dst")
    )
    swap = np.zeros(ends.service.size, bool)
    for here, there in reversed(list(zip(src, dst, strict=True))):
        swap = (here > there) | ((here == there) & swap)
    first = [np.where(swap, there, here) for here, there in zip(src, dst, strict=True)]
    second = [np.where(swap, here, there) for here, there in zip(src, dst, strict=True)]
    return pl.DataFrame(dict(zip(_KEY, (*first, *second, ends.service), strict=True)))
