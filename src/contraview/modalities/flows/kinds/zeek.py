"""Zeek's conn.log, TSV or JSON (https://docs.zeek.org, Conn::Info)."""

from typing import Final

from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.rates import amount, letters, two_way

_HISTORY: Final = {
    "s": "syn",
    "h": "handshake",
    "a": "ack",
    "d": "data",
    "f": "fin",
    "r": "rst",
    "c": "bad_checksum",
    "g": "gap",
    "t": "retransmitted",
    "w": "zero_window",
    "i": "inconsistent",
    "q": "multi_flag",
}
"""The letters of ``history``: upper case for the originator, lower case for the responder."""

ZEEK_CONN: Final = Kind(
    name="zeek_conn",
    marks=frozenset(("uid", "id.orig_h", "conn_state")),
    numbers=(
        *("duration", "orig_bytes", "resp_bytes", "orig_pkts", "resp_pkts"),
        *("orig_ip_bytes", "resp_ip_bytes", "missed_bytes"),
    ),
    categorical=("proto", "service", "conn_state"),
    text=("history",),
    derived={
        **two_way(
            seconds=amount("duration"),
            fwd_bytes=amount("orig_bytes"),
            bwd_bytes=amount("resp_bytes"),
            fwd_packets=amount("orig_pkts"),
            bwd_packets=amount("resp_pkts"),
        ),
        "fwd_ip_bytes": amount("orig_ip_bytes"),
        "bwd_ip_bytes": amount("resp_ip_bytes"),
        "gap_bytes": amount("missed_bytes"),
        **letters("history", {key.upper(): f"fwd_{name}" for key, name in _HISTORY.items()}),
        **letters("history", {key: f"bwd_{name}" for key, name in _HISTORY.items()}),
        **letters("history", {"^": "flipped"}),
    },
    identity=(
        *("uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "community_id"),
        *("orig_l2_addr", "resp_l2_addr", "vlan", "inner_vlan", "tunnel_parents"),
    ),
    labels=("label", "detailed-label"),
    time=("ts",),
    optional=frozenset(("service", "history", "orig_ip_bytes", "resp_ip_bytes", "missed_bytes")),
    blank="-",
)
