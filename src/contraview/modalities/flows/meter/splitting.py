"""Where one flow of a conversation ends and the next begins."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

from contraview.modalities.flows.meter.mode import SECOND, Mode


@dataclass(frozen=True, slots=True)
class Rows:
    """Packets ordered by conversation, and what splitting needs to know of them.

    A conversation continued from an earlier window begins with a row that stands for its flow so
    far: at the time of that flow's last packet, ``since`` its first, a closer if it saw one.
    """

    time: Int64[np.ndarray, " n"]
    since: Int64[np.ndarray, " n"]
    begins: Bool[np.ndarray, " n"]
    """First row of its conversation."""
    against: Bool[np.ndarray, " n"]
    """Sent by the receiver of the conversation's first row."""
    closer: Bool[np.ndarray, " n"]
    """FIN or RST."""
    opener: Bool[np.ndarray, " n"]
    """May begin a flow after a closer. ``std``: SYN without ACK. ``lycos``: SYN, or not TCP."""
    answer: Bool[np.ndarray, " n"]
    """SYN and ACK."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows as row ranges, in the order of the rows."""

    start: Int64[np.ndarray, " flows"]
    stop: Int64[np.ndarray, " flows"]
    turned: Bool[np.ndarray, " flows"]
    """The source of the flow is the receiver of the conversation's first row."""
    ended: Bool[np.ndarray, " flows"]
    """Gets no further packet."""
    closed: Bool[np.ndarray, " flows"]
    """A FIN or RST has been seen, and no SYN since."""
    shut: Int64[np.ndarray, " conversations"]
    """``lycos``: the rows whose FIN or RST makes what follows in their conversation void."""


def split_std(rows: Rows, mode: Mode) -> Flows:
    """Cut by silence, by a new SYN after FIN or RST, and by age, in that order."""
    time, n = rows.time, rows.time.size
    fresh = rows.begins.copy()
    fresh[1:] |= np.diff(time) >= mode.idle
    closers = np.flatnonzero(rows.closer)
    if closers.size:
        fresh[_reopening(fresh, closers, np.flatnonzero(rows.opener))] = True
    begins = fresh.copy()
    start = np.flatnonzero(begins)
    while True:  # once for the flows too old, once for those still too old after a cut, ...
        stop = np.append(start[1:], n)
        deadline = rows.since[start] + mode.active
        old = np.flatnonzero(time[stop - 1] >= deadline)
        if not old.size:
            break
        begins[first_at(time, deadline[old], start[old] + 1, stop[old])] = True
        start = np.flatnonzero(begins)
    connection = np.maximum.accumulate(np.where(fresh, np.arange(n), 0))[start]
    closed = last_before(closers, stop) >= connection
    ended = np.append(~rows.begins[start[1:]], False)
    return Flows(start, stop, rows.against[start], ended, closed, np.zeros(0, np.int64))


def _reopening(
    fresh: NDArray[np.bool_], closers: NDArray[np.int64], openers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The openers before which a closer was seen that no earlier opener has answered."""
    begin = np.flatnonzero(fresh)
    begin = begin[np.searchsorted(begin, openers, side="right") - 1]
    closer = last_before(closers, openers)
    answered = np.append(-1, openers[:-1])
    return openers[(closer >= begin) & (closer >= answered)]


def last_before(
    places: Int64[np.ndarray, " m"], at: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """The last of the sorted ``places`` before each of ``at``; -1 where there is none."""
    return np.append(-1, places)[np.searchsorted(places, at, side="left")]


def first_at(
    time: Int64[np.ndarray, " n"],
    deadline: Int64[np.ndarray, " m"],
    low: Int64[np.ndarray, " m"],
    high: Int64[np.ndarray, " m"],
) -> Int64[np.ndarray, " m"]:
    """The first row of each ``low:high`` at or after its deadline, or ``high`` (bisected)."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        late = time[np.minimum(middle, time.size - 1)] >= deadline
        high = np.where(open_ & late, middle, high)
        low = np.where(open_ & ~late, middle + 1, low)
    return low


QUARANTINE: Final = 240 * SECOND
"""``lycos``: how long packets after a FIN or RST are discarded."""


def split_lycos(rows: Rows, mode: Mode) -> Flows:
    """Cut as LycoSTand does, all conversations in step: a turn of the loop is a flow of each.

    A conversation is at a row, either in a flow that begins there, or shut by the FIN or RST
    there; a flow ends at a closer or at its age, a shut conversation at an opener or in time.
    """
    time, n = rows.time, rows.time.size
    closers = np.append(np.flatnonzero(rows.closer), n)
    openers = np.append(np.flatnonzero(rows.opener), n)
    own = rows.against ^ rows.answer  # a first packet with SYN and ACK came from the target
    at = np.flatnonzero(rows.begins)
    end = np.append(at[1:], n)
    shut, turned = rows.closer[at], own[at]
    found: list[tuple[np.ndarray, ...]] = []
    left_shut: list[np.ndarray] = []
    while at.size:
        after = at + 1
        deadline = np.where(shut, time[at] + QUARANTINE, rows.since[at] + mode.active)
        limit = first_at(time, deadline, after, end)
        opener = openers[np.searchsorted(openers, after)]
        closer = closers[np.searchsorted(closers, after)]
        event = np.where(shut, opener, closer)
        flagged = ~shut & (event < limit)
        following = np.minimum(event, limit)
        over = following >= end

        flow = ~shut
        stop = np.where(flagged, event + 1, limit)
        found.append((at[flow], stop[flow], turned[flow], ~over[flow], flagged[flow]))
        left_shut.append(at[shut & over])

        go = ~over
        here = following[go]
        turned = np.where(shut[go], own[here], turned[go])
        shut = flagged[go] | rows.closer[here]
        at, end = here, end[go]
    start, stop, turned, ended, closed = map(np.concatenate, zip(*found, strict=True))
    order = np.argsort(start)
    return Flows(
        start=start[order],
        stop=stop[order],
        turned=turned[order],
        ended=ended[order],
        closed=closed[order],
        shut=np.concatenate(left_shut),
    )
