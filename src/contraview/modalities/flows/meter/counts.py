"""What became of the packets of a capture."""

from dataclasses import dataclass, fields

import polars as pl


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """Packets by fate; the counts of two windows add up with ``+``.

    ``packets`` is the sum of ``metered`` and of the kinds that are not:
    ``truncated`` to ``discarded``.
    """

    packets: int = 0
    metered: int = 0
    truncated: int = 0
    """The headers up to the ports (TCP: the window) were not all captured."""
    not_ip: int = 0
    """ARP, LLDP, MPLS, PPPoE and whatever else is not IPv4 or IPv6."""
    unknown_link: int = 0
    """From a pcapng interface of a link type that is not read."""
    malformed: int = 0
    """A header contradicts itself or its packet."""
    later_fragments: int = 0
    """Fragments after the first: they carry no ports."""
    outside_mode: int = 0
    """``lycos``: IPv6, VLAN, tunnels and protocols LycoSTand does not read."""
    discarded: int = 0
    """``lycos``: after the FIN or RST of their flow."""
    clamped: int = 0
    """Metered with the length on the wire, since the IP header claimed more."""
    tunnels: int = 0
    """Metered by what GRE, IP-in-IP, 6in4 or 4in6 carried."""
    clock_backward: int = 0
    """Stamped earlier than a packet before them; metered with the later time."""
    flows: int = 0
    evicted: int = 0
    """Flows ended early because too many were open."""
    cut_short: int = 0
    """Captures that ended inside a record, or whose rest could not be read."""

    def __add__(self, other: "MeterCounts") -> "MeterCounts":
        return type(self)(
            *(getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Metered:
    """Flows, one a row, and what became of the packets they were made from."""

    frame: pl.DataFrame
    counts: MeterCounts
