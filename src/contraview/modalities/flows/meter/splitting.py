"""Where one flow of a conversation ends and the next begins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

from contraview.modalities.flows.meter.mode import Mode


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
    closer: Bool[np.ndarray, " n"]
    """FIN or RST."""
    opener: Bool[np.ndarray, " n"]
    """May begin a flow after a closer. ``std``: SYN without ACK. ``lycos``: SYN, or not TCP."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows as row ranges, in the order of the rows."""

    start: Int64[np.ndarray, " flows"]
    stop: Int64[np.ndarray, " flows"]
    closed: Bool[np.ndarray, " flows"]
    """A FIN or RST has been seen, and no SYN since."""


def split(rows: Rows, mode: Mode) -> Flows:
    """Cut by silence, by a new SYN after FIN or RST, and by age, in that order (``std``)."""
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
    return Flows(start, stop, closed)


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
