"""Where each record of a capture begins.

A record's place is known only once the one before it has been read, which in plain Python costs
about as much as all the statistics. So many walkers start at once, at places that look like the
begin of a record, and step together. Their result stands only if every walker lands exactly where
the next one began: then, by induction from the first, it is the true chain, whatever the guesses.
"""

from typing import Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from contraview.modalities.flows.meter.headers import PADDING

ENDLESS: Final = 1 << 40
"""The length of a record that cannot be stepped over."""

_LANES: Final = 1024
_REACH: Final = 2048  # bytes searched for the begin of a lane


@runtime_checkable
class RecordLayout(Protocol):
    """How the records of a capture format follow each other."""

    header: int
    """Bytes from which a record's length is known."""

    def length(self, buffer: memoryview, at: int) -> int:
        """The bytes from this record to the next; ENDLESS where it cannot be stepped over."""
        ...

    def lengths(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Int64[np.ndarray, " n"]:
        """``length`` of many records."""
        ...

    def hint(self, window: UInt8[np.ndarray, "lanes reach"]) -> Bool[np.ndarray, "lanes places"]:
        """The few places of each row where a record may begin: a cheap test of a byte or two."""
        ...

    def plausible(
        self, buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether the bytes there read like a record's header."""
        ...


def walk(
    buffer: UInt8[np.ndarray, " bytes"], start: int, size: int, layout: RecordLayout
) -> tuple[Int64[np.ndarray, " n"], int]:
    """The position of every whole record of ``buffer[start:size]``, and where the next begins."""
    starts = _lane_starts(buffer, start, size, layout)
    chain = _step_together(buffer, starts, size, layout) if starts.size > 1 else None
    return chain or _step(buffer.data, start, size, layout)


def _step(
    buffer: memoryview, at: int, size: int, layout: RecordLayout
) -> tuple[Int64[np.ndarray, " n"], int]:
    positions: list[int] = []
    length, header = layout.length, layout.header
    while at + header <= size and (after := at + length(buffer, at)) <= size:
        positions.append(at)
        at = after
    return np.array(positions, np.int64), at


def _lane_starts(
    buffer: UInt8[np.ndarray, " bytes"], start: int, size: int, layout: RecordLayout
) -> Int64[np.ndarray, " lanes"]:
    """``start`` and one likely record begin in each of many evenly spaced stretches."""
    lanes = min(_LANES, (size - start) // (4 * _REACH))
    if lanes < 2:
        return np.array([start], np.int64)
    stride = (size - start) // lanes
    stretches = buffer[start : start + lanes * stride].reshape(lanes, stride)[1:, : _REACH + 8]
    lane, offset = np.nonzero(layout.hint(stretches))
    places = start + (lane + 1) * stride + offset
    places = places[places + PADDING < size]
    places = places[layout.plausible(buffer, places)]
    after = places + layout.lengths(buffer, places)
    within = after + layout.header <= size
    places, after = places[within], after[within]
    places = places[layout.plausible(buffer, after)]
    _, first = np.unique((places - start) // stride, return_index=True)
    return np.concatenate([np.array([start], np.int64), places[first]])


def _step_together(
    buffer: UInt8[np.ndarray, " bytes"],
    starts: Int64[np.ndarray, " lanes"],
    size: int,
    layout: RecordLayout,
) -> tuple[Int64[np.ndarray, " n"], int] | None:
    """Walk all lanes in step; None where a lane misses the begin of the next."""
    ends = np.append(starts[1:], size)
    at = starts.copy()
    lanes = np.arange(starts.size)
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    while lanes.size:
        here = at[lanes]
        # Never beyond the padding: a header cut by the end has a length that leads past it.
        after = here + layout.lengths(buffer, here)
        if lanes[-1] == starts.size - 1 and after[-1] > size:  # the last lane is through
            lanes, here, after = lanes[:-1], here[:-1], after[:-1]
        steps.append((lanes, here))
        at[lanes] = after
        lanes = lanes[after < ends[lanes]]
    if not np.array_equal(at[:-1], ends[:-1]):
        return None
    # Sixteen bits, for which NumPy's stable sort is a radix sort.
    lane = np.concatenate([lanes for lanes, _ in steps]).astype(np.uint16)
    places = np.concatenate([here for _, here in steps])
    return places[np.argsort(lane, kind="stable")], int(at[-1])
