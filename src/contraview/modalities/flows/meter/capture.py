"""Capture files and streams as windows of frames: pcap and pcapng, plain or gzip."""

from collections.abc import Iterator

from contraview.core.errors import InputError
from contraview.modalities.flows.meter.feed import Feed, Records
from contraview.modalities.flows.meter.pcap import is_pcap, read_pcap
from contraview.modalities.flows.meter.pcapng import is_pcapng, read_pcapng


def read_windows(feed: Feed, window: int) -> Iterator[Records]:
    """The frames of a capture, at most ``window`` at a time.

    Raises:
        InputError: it is empty, is no capture, or is cut inside its own header.
    """
    if not feed.refill(0):
        raise InputError(f"{feed.name}: is empty; expected a pcap or pcapng capture")
    if is_pcap(feed.buffer):
        chunks = read_pcap(feed)
    elif is_pcapng(feed.buffer):
        chunks = read_pcapng(feed)
    else:
        raise InputError(
            f"{feed.name}: byte 0: no pcap or pcapng capture (it begins with"
            f" {feed.buffer[: min(4, feed.size)].hex(' ')}); expected one, plain or gzip"
        )
    for records in chunks:
        for begin in range(0, records.start.size, window):
            yield records.window(begin, begin + window)
