"""Suricata's flow records in eve.json (https://docs.suricata.io, EVE JSON format)."""

from typing import Final

import polars as pl

from contraview.modalities.flows.cells import moment, text
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.rates import amount, two_way

_FLAGS: Final = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
"""The bits of the TCP flags, lowest first."""


def _flags(way: str, column: str) -> dict[str, pl.Expr]:
    """Whether each TCP flag was seen, from the hexadecimal text that Suricata writes."""
    seen = text(column).str.to_integer(base=16, strict=False).fill_null(0)
    return {
        f"{way}_{name}": (seen // 2**bit % 2).cast(pl.Float64) for bit, name in enumerate(_FLAGS)
    }


SURICATA_EVE: Final = Kind(
    name="suricata_eve",
    marks=frozenset(("event_type", "flow.pkts_toserver", "flow.bytes_toserver")),
    numbers=(
        *("flow.pkts_toserver", "flow.pkts_toclient"),
        *("flow.bytes_toserver", "flow.bytes_toclient", "flow.age"),
    ),
    categorical=("proto", "app_proto", "flow.state", "flow.reason", "tcp.state"),
    text=("flow.start", "flow.end", "tcp.tcp_flags_ts", "tcp.tcp_flags_tc"),
    derived={
        **two_way(
            # `age` is whole seconds; the two times are exact.
            seconds=(moment("flow.end") - moment("flow.start"))
            .dt.total_microseconds()
            .truediv(1e6)
            .fill_null(amount("flow.age")),
            fwd_bytes=amount("flow.bytes_toserver"),
            bwd_bytes=amount("flow.bytes_toclient"),
            fwd_packets=amount("flow.pkts_toserver"),
            bwd_packets=amount("flow.pkts_toclient"),
        ),
        **_flags("fwd", "tcp.tcp_flags_ts"),
        **_flags("bwd", "tcp.tcp_flags_tc"),
    },
    identity=(
        *("flow_id", "src_ip", "src_port", "dest_ip", "dest_port", "community_id"),
        *("in_iface", "host", "ether.src_mac", "ether.dest_mac"),
    ),
    time=("flow.start", "timestamp"),
    optional=frozenset(
        (
            "app_proto",
            "flow.age",
            "flow.reason",
            "tcp.state",
            "tcp.tcp_flags_ts",
            "tcp.tcp_flags_tc",
        )
    ),
    blank="-",
    records=("event_type", "flow"),
    nested=("flow", "tcp"),
)
