"""The flows that have not ended: what one window leaves to the next."""

import numpy as np
from numpy.typing import NDArray

from contraview.modalities.flows.meter.clock import Clock
from contraview.modalities.flows.meter.counts import MeterCounts
from contraview.modalities.flows.meter.feed import Records
from contraview.modalities.flows.meter.grouping import Conversations, Ends, group
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.packets import ACK, FIN, RST, SYN, TCP, Packets, decode
from contraview.modalities.flows.meter.splitting import QUARANTINE, Rows, split_lycos, split_std
from contraview.modalities.flows.meter.state import (
    EXPIRED,
    OPEN,
    VOID,
    blank,
    join_rows,
    put_rows,
    take_rows,
)
from contraview.modalities.flows.meter.statistics import Track, measure


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
        known, ended, staying, discarded = self._add(decoded.packets)
        timed_out, staying = self._expire(known, staying)
        evicted, staying = self._evict(known, staying)
        # Rows are wide and may be many: each is moved once, when its fate is known.
        ended = take_rows(known, np.concatenate([ended, timed_out, evicted]))
        self.flows = take_rows(known, staying)
        ok, truncated, not_ip, unknown_link, malformed, later, outside = decoded.verdicts
        return ended, MeterCounts(
            packets=records.start.size,
            metered=ok - discarded,
            truncated=truncated,
            not_ip=not_ip,
            unknown_link=unknown_link,
            malformed=malformed,
            later_fragments=later,
            outside_mode=outside,
            discarded=discarded,
            clamped=decoded.clamped,
            tunnels=decoded.tunnels,
            clock_backward=backward,
            flows=ended.size,
            evicted=evicted.size,
        )

    def elapse(self, silence: int) -> np.ndarray:
        """The flows that end since no packet at all has come for ``silence`` microseconds."""
        gone, staying = self._expire(self.flows, np.arange(self.flows.size), silence)
        ended, self.flows = take_rows(self.flows, gone), take_rows(self.flows, staying)
        return ended

    def finish(self) -> np.ndarray:
        """The flows still open (``lycos``: those are not written)."""
        rest, self.flows = self.flows, blank(0)
        return rest if not self.mode.lycos else blank(0)

    def _add(
        self, packets: Packets
    ) -> tuple[np.ndarray, NDArray[np.int64], NDArray[np.int64], int]:
        """All flows now known, which of them ended and which stay, and packets discarded."""
        kept = self.flows
        if not packets.time.size:
            return kept, np.zeros(0, np.int64), np.arange(kept.size), 0
        talk = group(_ends(kept, packets, self.mode))
        rows = _rows(kept, packets, talk, self.mode)
        flows = (split_lycos if self.mode.lycos else split_std)(rows, self.mode)

        # A flow goes on from an earlier window where its first row stands for a kept flow.
        goes_on = talk.order[flows.start] < kept.size
        begin = flows.start + goes_on
        size = flows.stop - begin
        busy, resting = np.flatnonzero(size), np.flatnonzero(size == 0)
        begin, size, going = begin[busy], size[busy], np.flatnonzero(goes_on[busy])
        offset = np.cumsum(size) - size
        place = np.repeat(begin - offset, size) + np.arange(size.sum())
        chosen = talk.order[place] - kept.size
        backward = talk.against[place] ^ np.repeat(flows.turned[busy], size)

        states = blank(busy.size)
        put_rows(states, going, take_rows(kept, talk.order[flows.start[busy[going]]]))
        fresh = np.flatnonzero(~goes_on[busy])
        _introduce(states, packets, chosen[offset[fresh]], backward[offset[fresh]], fresh)
        states["closed"] = flows.closed[busy]
        track = Track(
            start=offset,
            time=packets.time[chosen],
            payload=packets.payload[chosen],
            header=packets.header[chosen],
            flags=packets.flags[chosen],
            window=packets.window[chosen],
            backward=backward,
        )
        measure(states, track, self.mode)

        rest = talk.order[flows.start[resting]]
        rest_ended = flows.ended[resting]
        shut = talk.order[flows.shut]
        voids = _voids(packets, shut[shut >= kept.size] - kept.size)
        known = join_rows(kept, states, voids)
        still_open = kept.size + np.flatnonzero(~flows.ended[busy])
        new_voids = np.arange(known.size - voids.size, known.size)
        staying = [rest[~rest_ended], shut[shut < kept.size], still_open, new_voids]
        ended = [
            rest[rest_ended & (kept["phase"][rest] == OPEN)],
            kept.size + np.flatnonzero(flows.ended[busy]),
        ]
        discarded = packets.time.size - chosen.size
        return known, np.concatenate(ended), np.concatenate(staying), discarded

    def _expire(
        self, flows: np.ndarray, staying: NDArray[np.int64], later: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the ``staying`` end, since they can get no further packet, and which stay."""
        now = self.clock.now + later
        silent = now - flows["last"][staying]
        if not self.mode.lycos:
            gone = silent >= self.mode.idle
            return staying[gone], staying[~gone]
        phase = flows["phase"][staying]
        gone = (phase == VOID) & (silent >= QUARANTINE)
        age = now - flows["first"][staying]
        ended = staying[(phase == OPEN) & (age >= self.mode.active)]
        flows["phase"][ended] = EXPIRED  # remembers which end is the source
        return ended, staying[~gone]

    def _evict(
        self, flows: np.ndarray, staying: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """End the longest silent flows where there are too many; memories go first."""
        surplus = staying.size - self.max_open
        if surplus <= 0:
            return staying[:0], staying
        is_open = flows["phase"][staying] == OPEN
        first_to_go = np.argsort(np.where(is_open, flows["last"][staying], -1), kind="stable")
        evicted = first_to_go[:surplus]
        return staying[evicted[is_open[evicted]]], staying[first_to_go[surplus:]]


def _ends(kept: np.ndarray, packets: Packets, mode: Mode) -> Ends:
    """The ends of the kept flows, followed by those of the packets."""

    def joined(name: str) -> NDArray[np.uint64]:
        return np.concatenate([kept[name], getattr(packets, name)], dtype=np.uint64)

    service = joined("version") << np.uint64(8) | joined("protocol")
    return Ends(
        src_hi=joined("src_hi"),
        src_lo=joined("src_lo"),
        dst_hi=joined("dst_hi"),
        dst_lo=joined("dst_lo"),
        src_port=joined("src_port"),
        dst_port=joined("dst_port"),
        service=np.zeros_like(service) if mode.lycos else service,
    )


def _rows(kept: np.ndarray, packets: Packets, talk: Conversations, mode: Mode) -> Rows:
    """Kept flows and packets as rows to be split, conversation by conversation."""

    def joined(flow: np.ndarray, packet: np.ndarray) -> np.ndarray:
        return np.concatenate([flow, packet])[talk.order]

    flags = packets.flags
    closer, syn = flags & (FIN | RST) != 0, flags & SYN != 0
    opener = (syn & ~closer) | (packets.protocol != TCP) if mode.lycos else syn & (flags & ACK == 0)
    none = np.zeros(kept.size, bool)
    return Rows(
        time=joined(kept["last"], packets.time),
        since=joined(kept["first"], packets.time),
        begins=talk.begins,
        against=talk.against,
        closer=joined(kept["closed"], closer),
        opener=joined(none, opener),
        answer=joined(none, syn & (flags & ACK != 0)),
    )


def _introduce(
    states: np.ndarray,
    packets: Packets,
    first: NDArray[np.int64],
    backward: NDArray[np.bool_],
    fresh: NDArray[np.int64],
) -> None:
    """Write identity and begin of the ``fresh`` flows, from the ``first`` packet of each."""
    for name in ("protocol", "version", "stamp"):
        states[name][fresh] = getattr(packets, name)[first]
    for part in ("hi", "lo", "port"):
        ends = [f"src_{part}", f"dst_{part}"]
        source, target = (getattr(packets, name)[first] for name in ends)
        states[ends[0]][fresh] = np.where(backward, target, source)
        states[ends[1]][fresh] = np.where(backward, source, target)


def _voids(packets: Packets, closing: NDArray[np.int64]) -> np.ndarray:
    """Memories of the ``closing`` packets, after which their conversations are void."""
    memories = blank(closing.size)
    everyone = np.arange(closing.size)
    _introduce(memories, packets, closing, np.zeros(closing.size, bool), everyone)
    memories["first"] = memories["last"] = packets.time[closing]
    memories["closed"] = True
    memories["phase"] = VOID
    return memories
