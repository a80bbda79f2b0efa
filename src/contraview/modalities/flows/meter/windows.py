"""The meter: windows of frames in, ended flows out, open flows kept between."""

from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.capture import read_windows
from contraview.modalities.flows.meter.columns import table
from contraview.modalities.flows.meter.counts import MeterCounts, Metered
from contraview.modalities.flows.meter.feed import Feed
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.open_flows import OpenFlows
from contraview.modalities.flows.meter.state import join_rows
from contraview.modalities.flows.meter.statistics import MOST_PACKETS

WINDOW: Final = 131_072
"""Packets looked at together."""
MAX_OPEN: Final = 131_072
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
    settings = Mode.named(mode)
    ended, counts = zip(*_ended(path, settings, WINDOW, MAX_OPEN), strict=True)
    return Metered(table(join_rows(*ended), settings), sum(counts, MeterCounts()))


def stream(
    source: Path | str | BufferedIOBase,
    mode: str = "std",
    *,
    window: int = WINDOW,
    max_open: int = MAX_OPEN,
) -> Iterator[Metered]:
    """Meter a capture in constant memory: each item holds the flows that ended in one window.

    The last item holds the flows still open at the end. Flows do not depend on ``window``, as
    long as no more than ``max_open`` are open at once (``counts.evicted`` tells).

    Args:
        source: a path as for ``meter``, or an open binary stream (``sys.stdin.buffer``).
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
    for ended, counts in _ended(source, settings, window, max_open):
        yield Metered(table(ended, settings), counts)


def _ended(
    source: Path | str | BufferedIOBase, mode: Mode, window: int, max_open: int
) -> Iterator[tuple[np.ndarray, MeterCounts]]:
    """The flows that ended in each window (``state.FLOW``); at last those still open."""
    feed = Feed(source)
    try:
        flows = OpenFlows(mode, max_open)
        for records in read_windows(feed, window):
            yield flows.take(records)
        rest = flows.finish()
        yield rest, MeterCounts(flows=rest.size, cut_short=int(feed.cut_short))
    finally:
        feed.close()
