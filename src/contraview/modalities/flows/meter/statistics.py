"""The packets of a window added to the flows they belong to: the 75 statistics in the making."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

from contraview.modalities.flows.meter.mode import SECOND, Mode
from contraview.modalities.flows.meter.packets import (
    ACK,
    CWR,
    ECE,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
)
from contraview.modalities.flows.meter.state import MOMENTS, RUN, pooled, put_rows, take_rows

IDLE: Final = 5 * SECOND
"""A longer gap is an idle time, and ends an active one."""
PAUSE: Final = 1 * SECOND
"""A longer gap ends a subflow, and a bulk."""
BULK: Final = 4
"""The fewest non-empty packets of a bulk."""


@dataclass(frozen=True, slots=True)
class Track:
    """The packets of some flows, those of a flow together and in order of time."""

    start: Int64[np.ndarray, " flows"]
    """First packet of each flow; every flow has one."""
    time: Int64[np.ndarray, " n"]
    payload: Int64[np.ndarray, " n"]
    header: Int64[np.ndarray, " n"]
    flags: NDArray[np.uint8]
    window: NDArray[np.int32]
    backward: Bool[np.ndarray, " n"]


class Groups:
    """Values in consecutive groups, each the share of one flow."""

    def __init__(self, flow: NDArray[np.int64]):
        """``flow`` of every value, ascending."""
        begins = np.ones(flow.size, bool)
        np.not_equal(flow[1:], flow[:-1], out=begins[1:])
        self.start = np.flatnonzero(begins)
        self.flow = flow[self.start]
        self.size = np.diff(self.start, append=flow.size)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum of each group."""
        return np.add.reduceat(values, self.start) if self.start.size else values[:0]

    def least(self, values: np.ndarray) -> np.ndarray:
        """The least value of each group."""
        return np.minimum.reduceat(values, self.start) if self.start.size else values[:0]

    def add(self, moments: np.ndarray, values: NDArray[np.int64]) -> None:
        """Merge each group's values into its flow's entry of ``moments``, in place."""
        if not self.start.size:
            return
        now = np.empty(self.flow.size, MOMENTS)
        now["n"] = self.size
        now["sum"] = np.add.reduceat(values, self.start)
        now["min"] = np.minimum.reduceat(values, self.start)
        now["max"] = np.maximum.reduceat(values, self.start)
        # Two passes: in one, the squares of microseconds would not fit into 64 bits.
        distance = values - np.repeat(now["sum"] / self.size, self.size)
        now["m2"] = np.add.reduceat(distance * distance, self.start)
        put_rows(moments, self.flow, pooled(take_rows(moments, self.flow), now))


def _flag_words(bits: tuple[int, int, int]) -> NDArray[np.int64]:
    """For each byte of flags, three of them as counters of 21 bits: one sum counts all three."""
    flags = np.arange(256)[:, None]
    return (((flags & bits) > 0).astype(np.int64) << (0, 21, 42)).sum(1)


MOST_PACKETS: Final = (1 << 21) - 1
"""Packets a window may hold: a counter of ``_flag_words`` must not overflow."""

_SYN_FIN_RST: Final = _flag_words((SYN, FIN, RST))
_ACK_CWR_ECE: Final = _flag_words((ACK, CWR, ECE))
_PSH_URG: Final = _flag_words((PSH, URG, 0))


def _counters(words: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [words >> (21 * k) & MOST_PACKETS for k in range(3)]


def measure(flows: np.ndarray, track: Track, mode: Mode) -> None:
    """Add the packets of ``track`` to ``flows`` (``state.FLOW``, one a flow), in place.

    A flow without a packet so far (``blank``) begins here; any other goes on.
    """
    sizes = np.diff(track.start, append=track.time.size)
    flow = np.repeat(np.arange(flows.size), sizes)
    _begin(flows, track)
    _count_flags(flows, track)
    _add_times(flows, track, flow, mode)
    for way, rows in (
        ("fwd", np.flatnonzero(~track.backward)),
        ("bwd", np.flatnonzero(track.backward)),
    ):
        _add_direction(flows, track, flow, way, rows)
    _add_bulks(flows, track, flow)
    flows["last"] = track.time[track.start + sizes - 1]


def _begin(flows: np.ndarray, track: Track) -> None:
    fresh = np.flatnonzero(_packets(flows) == 0)
    first = track.start[fresh]
    flows["first"][fresh] = flows["last"][fresh] = track.time[first]
    flows["active_since"][fresh] = track.time[first]
    flows["starts_backward"][fresh] = track.backward[first]


def _packets(flows: np.ndarray) -> NDArray[np.int64]:
    return flows["fwd_len"]["n"] + flows["bwd_len"]["n"]


def _count_flags(flows: np.ndarray, track: Track) -> None:
    for words, names in (
        (_SYN_FIN_RST, ("syn", "fin", "rst")),
        (_ACK_CWR_ECE, ("ack", "cwr", "ece")),
    ):
        counts = _counters(np.add.reduceat(words[track.flags], track.start))
        for name, count in zip(names, counts, strict=True):
            flows[name] += count


def _add_times(flows: np.ndarray, track: Track, flow: NDArray[np.int64], mode: Mode) -> None:
    """Gaps between packets of either direction, and what is made of long ones."""
    gap = np.diff(track.time, prepend=0)
    gap[track.start] = track.time[track.start] - flows["last"]
    has_gap = np.ones(gap.shape, bool)
    has_gap[track.start[_packets(flows) == 0]] = False
    rows = np.flatnonzero(has_gap)
    gap, flow = gap[rows], flow[rows]
    Groups(flow).add(flows["iat"], gap)
    flows["pauses"] += np.bincount(flow[gap > PAUSE], minlength=flows.size)

    long = gap > IDLE
    if mode.lycos:  # the closing packet does not count here
        long &= track.flags[rows] & (FIN | RST) == 0
    long = np.flatnonzero(long)
    gap, flow, resumed = gap[long], flow[long], track.time[rows[long]]
    groups = Groups(flow)
    groups.add(flows["idle"], gap)
    since = np.append(0, resumed[:-1])
    since[groups.start] = flows["active_since"][groups.flow]
    span = resumed - gap - since
    lasting = np.flatnonzero(span > 0)
    Groups(flow[lasting]).add(flows["active"], span[lasting])
    flows["active_since"][groups.flow] = resumed[groups.start + groups.size - 1]


def _add_direction(
    flows: np.ndarray, track: Track, flow: NDArray[np.int64], way: str, rows: NDArray[np.int64]
) -> None:
    """What is counted for one direction: ``rows`` are its packets."""
    time, payload, flow = track.time[rows], track.payload[rows], flow[rows]
    groups = Groups(flow)
    ours = groups.flow
    fresh = flows[f"{way}_len"]["n"][ours] == 0
    newcomers = groups.start[fresh]
    flows[f"{way}_window"][ours[fresh]] = track.window[rows[newcomers]]
    groups.add(flows[f"{way}_len"], payload)
    header = track.header[rows]
    flows[f"{way}_header"][ours] += groups.sum(header)
    least = flows[f"{way}_least_header"]
    least[ours] = np.minimum(least[ours], groups.least(header))

    gap = np.diff(time, prepend=0)
    gap[groups.start] = time[groups.start] - flows[f"{way}_last"][ours]
    has_gap = np.ones(gap.shape, bool)
    has_gap[newcomers] = False
    kept = np.flatnonzero(has_gap)
    Groups(flow[kept]).add(flows[f"{way}_iat"], gap[kept])
    flows[f"{way}_last"][ours] = time[groups.start + groups.size - 1]

    words = _PSH_URG[track.flags[rows]] | ((payload > 0).astype(np.int64) << 42)
    for name, count in zip(("psh", "urg", "data"), _counters(groups.sum(words)), strict=True):
        flows[f"{way}_{name}"][ours] += count


def _add_bulks(flows: np.ndarray, track: Track, flow: NDArray[np.int64]) -> None:
    """Runs of non-empty packets of one direction with no gap above PAUSE; four make a bulk."""
    rows = np.flatnonzero(track.payload > 0)
    if not rows.size:
        return
    time, backward, flow = track.time[rows], track.backward[rows], flow[rows]
    begins = np.ones(rows.size, bool)
    begins[1:] = (flow[1:] != flow[:-1]) | (backward[1:] != backward[:-1]) | (np.diff(time) > PAUSE)
    start = np.flatnonzero(begins)
    stop = np.append(start[1:], rows.size)
    runs = np.empty(start.size, RUN)
    runs["backward"] = backward[start]
    runs["n"] = stop - start
    runs["bytes"] = np.add.reduceat(track.payload[rows], start)
    runs["first"] = time[start]
    runs["last"] = time[stop - 1]
    groups = Groups(flow[start])
    ours = groups.flow

    earlier, first = take_rows(flows["run"], ours), take_rows(runs, groups.start)
    continues = (
        (earlier["n"] > 0)
        & (earlier["backward"] == first["backward"])
        & (first["first"] - earlier["last"] <= PAUSE)
    )
    first["n"] += np.where(continues, earlier["n"], 0)
    first["bytes"] += np.where(continues, earlier["bytes"], 0)
    first["first"] = np.where(continues, earlier["first"], first["first"])
    put_rows(runs, groups.start, first)
    broken = np.flatnonzero(~continues)
    close_runs(flows, ours[broken], take_rows(earlier, broken))

    last = groups.start + groups.size - 1
    done = np.ones(runs.size, bool)
    done[last] = False
    done = np.flatnonzero(done)
    close_runs(flows, flow[start[done]], take_rows(runs, done))
    put_rows(flows["run"], ours, take_rows(runs, last))


def close_runs(flows: np.ndarray, flow: NDArray[np.int64], runs: np.ndarray) -> None:
    """Count finished runs that are bulks for their flows, in place."""
    for way, backward in (("fwd", False), ("bwd", True)):
        bulk = np.flatnonzero((runs["n"] >= BULK) & (runs["backward"] == backward))
        if not bulk.size:
            continue
        groups = Groups(flow[bulk])
        total = take_rows(flows[f"{way}_bulks"], groups.flow)
        total["n"] += groups.size
        total["packets"] += groups.sum(runs["n"][bulk])
        total["bytes"] += groups.sum(runs["bytes"][bulk])
        total["duration"] += groups.sum((runs["last"] - runs["first"])[bulk])
        put_rows(flows[f"{way}_bulks"], groups.flow, total)
