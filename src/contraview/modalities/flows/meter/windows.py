"""The meter: windows of frames in, ended flows out, open flows kept between."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.capture import read_windows
from contraview.modalities.flows.meter.clock import Clock
from contraview.modalities.flows.meter.columns import table
from contraview.modalities.flows.meter.counts import MeterCounts, Metered
from contraview.modalities.flows.meter.feed import Feed, Records
from contraview.modalities.flows.meter.grouping import Ends, group
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.packets import ACK, FIN, RST, SYN, Packets, decode
from contraview.modalities.flows.meter.splitting import Rows, split
from contraview.modalities.flows.meter.state import KEY, blank
from contraview.modalities.flows.meter.statistics import MOST_PACKETS, Track, measure

WINDOW: Final = 131_072
"""Packets looked at together."""
MAX_OPEN: Final = 262_144
"""Open flows kept; the longest silent are ended early beyond this many."""


def meter(path: Path | str, mode: str = "std") -> Metered:
    """Meter a whole capture: one row a flow, by time of the first packet.

    Args:
        path: pcap (microseconds or nanoseconds, either byte order) or pcapng, plain or gzip.
        mode: ``std`` or ``lycos``, see Mode.

    Raises:
        InputError: no such file, a folder, empty, no capture, or cut inside its own header.
            A capture cut anywhere else gives the flows so far and ``counts.cut_short`` 1.
    """
    windows = list(stream(path, mode, window=WINDOW))
    counts = sum((part.counts for part in windows), MeterCounts())
    frame = pl.concat([part.frame for part in windows])
    return Metered(frame.sort("timestamp", "flow_id", maintain_order=True), counts)


def stream(
    source: Path | str | BinaryIO,
    mode: str = "std",
    *,
    window: int = WINDOW,
    max_open: int = MAX_OPEN,
) -> Iterator[Metered]:
    """Meter a capture in constant memory: each item holds the flows that ended in one window.

    The last item holds the flows still open at the end. Flows do not depend on ``window``, as
    long as no more than ``max_open`` are open at once (``counts.evicted`` tells).

    Args:
        source: a path as for ``meter``, or a binary stream of the same (standard input).
        mode: ``std`` or ``lycos``, see Mode.
        window: packets looked at together.
        max_open: flows remembered; beyond, the longest silent are ended early.

    Raises:
        InputError: as ``meter``.
    """
    if not 1 <= window <= MOST_PACKETS:
        raise InputError(f"window: {window} packets; expected 1 to {MOST_PACKETS}")
    if max_open < 1:
        raise InputError(f"max_open: {max_open} flows; expected at least 1")
    settings = Mode.named(mode)
    feed = Feed(source)
    try:
        flows = OpenFlows(settings, max_open)
        for records in read_windows(feed, window):
            ended, counts = flows.take(records)
            yield Metered(table(ended, settings), counts)
        rest = flows.finish()
        counts = MeterCounts(flows=rest.size, cut_short=int(feed.cut_short))
        yield Metered(table(rest, settings), counts)
    finally:
        feed.close()


class OpenFlows:
    """The flows that have not ended, and the clock they are judged by."""

    def __init__(self, mode: Mode, max_open: int):
        self.mode = mode
        self.max_open = max_open
        self.clock = Clock()
        self.flows = blank(0)

    def take(self, records: Records) -> tuple[np.ndarray, MeterCounts]:
        """Add the frames of a window; the flows that ended (``state.FLOW``), and the counts."""
        time, stamp, backward = self.clock.read(records.stamp)
        decoded = decode(records, time, stamp, self.mode)
        ended = self._add(decoded.packets)
        stale, evicted = self._drop()
        ended = np.concatenate([ended, stale])
        ok, truncated, not_ip, unknown_link, malformed, later, outside = decoded.verdicts
        return ended, MeterCounts(
            packets=records.start.size,
            metered=ok,
            truncated=truncated,
            not_ip=not_ip,
            unknown_link=unknown_link,
            malformed=malformed,
            later_fragments=later,
            outside_mode=outside,
            clamped=decoded.clamped,
            tunnels=decoded.tunnels,
            clock_backward=backward,
            flows=ended.size,
            evicted=evicted,
        )

    def finish(self) -> np.ndarray:
        """The flows still open."""
        rest, self.flows = self.flows, blank(0)
        return rest

    def _add(self, packets: Packets) -> np.ndarray:
        """Add packets to the open flows; return those that ended among them."""
        kept, n = self.flows, packets.time.size
        if not n:
            return blank(0)
        talk = group(_ends(kept, packets))
        order, is_kept = talk.order, talk.order < kept.size
        closing = packets.flags & (FIN | RST) != 0
        opening = packets.flags & (SYN | ACK) == SYN
        time = np.concatenate([kept["last"], packets.time])[order]
        flows = split(
            Rows(
                time=time,
                since=np.concatenate([kept["first"], packets.time])[order],
                begins=talk.begins,
                closer=np.concatenate([kept["closed"], closing])[order],
                opener=np.concatenate([np.zeros(kept.size, bool), opening])[order],
            ),
            self.mode,
        )
        # A flow goes on from an earlier window where its first row stands for a kept flow.
        goes_on = is_kept[flows.start]
        states = blank(flows.start.size)
        states[goes_on] = kept[order[flows.start[goes_on]]]
        size = flows.stop - flows.start
        backward = (talk.against ^ np.repeat(talk.against[flows.start], size))[~is_kept]
        chosen = order[~is_kept] - kept.size
        _introduce(states, packets, chosen[(np.cumsum(size - goes_on) - size)[~goes_on]], ~goes_on)

        touched = np.flatnonzero(size > goes_on)
        track = Track(
            start=np.cumsum((size - goes_on)[touched]) - (size - goes_on)[touched],
            time=time[~is_kept],
            payload=packets.payload[chosen],
            header=packets.header[chosen],
            flags=packets.flags[chosen],
            window=packets.window[chosen],
            backward=backward,
        )
        measured = states[touched]
        measure(measured, track, self.mode)
        states[touched] = measured
        states["closed"] = flows.closed

        latest = np.append(talk.begins[flows.start[1:]], True)
        self.flows = states[latest]
        return states[~latest]

    def _drop(self) -> tuple[np.ndarray, int]:
        """End the flows that can get no further packet, and those there is no room for."""
        flows = self.flows
        ends = self.clock.now - flows["last"] >= self.mode.idle
        evicted = flows.size - int(np.count_nonzero(ends)) - self.max_open
        if evicted > 0:
            silence = np.where(ends, -1, self.clock.now - flows["last"])
            ends[np.argpartition(-silence, evicted - 1)[:evicted]] = True
        self.flows = flows[~ends]
        return flows[ends], max(evicted, 0)


def _ends(kept: np.ndarray, packets: Packets) -> Ends:
    """The ends of the kept flows, followed by those of the packets."""

    def joined(name: str) -> NDArray[np.uint64]:
        return np.concatenate([kept[name], getattr(packets, name)], dtype=np.uint64)

    return Ends(
        src_hi=joined("src_hi"),
        src_lo=joined("src_lo"),
        dst_hi=joined("dst_hi"),
        dst_lo=joined("dst_lo"),
        src_port=joined("src_port"),
        dst_port=joined("dst_port"),
        service=joined("version") << np.uint64(8) | joined("protocol"),
    )


def _introduce(
    states: np.ndarray, packets: Packets, first: NDArray[np.int64], fresh: NDArray[np.bool_]
) -> None:
    """Write identity and begin of the ``fresh`` flows, from the ``first`` packet of each."""
    for name in (*KEY, "stamp"):
        states[name][fresh] = getattr(packets, name)[first]
