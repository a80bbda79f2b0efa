"""Capture files and streams as windows of frames: pcap and pcapng, plain or gzip."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.feed import Feed, Records
from contraview.modalities.flows.meter.pcap import is_pcap, read_pcap
from contraview.modalities.flows.meter.pcapng import is_pcapng, read_pcapng

_HEADERS: Final = 28
"""Bytes from which either format's own header can be read."""


def read_windows(feed: Feed, window: int) -> Iterator[Records]:
    """The frames of a capture, at most ``window`` at a time; none where it waits for more.

    Raises:
        InputError: it is empty, is no capture, or is cut inside its own header.
    """
    while feed.refill(0) and feed.size < _HEADERS:
        if feed.waiting:
            yield Records.none(feed)
    if not feed.size:
        raise InputError(f"{feed.name}: is empty; expected a pcap or pcapng capture")
    if is_pcap(feed.head(4)):
        chunks = read_pcap(feed)
    elif is_pcapng(feed.head(4)):
        chunks = read_pcapng(feed)
    else:
        raise InputError(
            f"{feed.name}: byte 0: no pcap or pcapng capture (it begins with"
            f" {feed.head(4).hex(' ')}); expected one, plain or gzip"
        )
    for records in chunks:
        # Parts of like size: each window costs a little of its own.
        parts = max(-(-records.start.size // window), 1)
        bounds = [records.start.size * k // parts for k in range(parts + 1)]
        for begin, end in pairwise(bounds):
            yield records.window(begin, end)
