"""Captures to flows: every packet of a pcap or pcapng file, 75 statistics a flow, in NumPy."""

from contraview.modalities.flows.meter.counts import MeterCounts, Metered
from contraview.modalities.flows.meter.mode import Mode
from contraview.modalities.flows.meter.windows import meter, stream

__all__ = ["MeterCounts", "Metered", "Mode", "meter", "stream"]
