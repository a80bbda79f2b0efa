"""Argus bidirectional flows as ``ra`` writes them for CTU-13 and its relatives (.binetflow)."""

from typing import Final

import polars as pl

from contraview.modalities.flows.cells import text
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.rates import amount, per

_FLAGS: Final = {"S": "syn", "A": "ack", "F": "fin", "R": "rst", "P": "psh", "U": "urg"}


def _flags() -> dict[str, pl.Expr]:
    """Whether each TCP flag was seen: ``SPA_FRA`` is the source's, then the target's."""
    state = text("State").fill_null("")
    is_tcp = state.str.contains("_", literal=True)
    ways = state.str.split_exact("_", 1).struct
    return {
        f"{way}_{name}": (is_tcp & ways[part].str.contains(letter, literal=True)).cast(pl.Float64)
        for part, way in enumerate(("fwd", "bwd"))
        for letter, name in _FLAGS.items()
    }


_SECONDS, _PACKETS = amount("Dur"), amount("TotPkts")
_BYTES, _SENT = amount("TotBytes"), amount("SrcBytes")

BINETFLOW: Final = Kind(
    name="binetflow",
    marks=frozenset(("StartTime", "Dur", "SrcAddr", "TotPkts", "SrcBytes")),
    numbers=("Dur", "TotPkts", "TotBytes", "SrcBytes"),
    categorical=("Proto", "Dir", "State"),
    derived={
        "seconds": _SECONDS,
        "packets": _PACKETS,
        "fwd_bytes": _SENT,
        "bwd_bytes": _BYTES - _SENT,
        "bytes_per_s": per(_BYTES, _SECONDS),
        "packets_per_s": per(_PACKETS, _SECONDS),
        "bytes_per_packet": per(_BYTES, _PACKETS),
        "bwd_byte_share": per(_BYTES - _SENT, _BYTES),
        **_flags(),
    },
    identity=("SrcAddr", "Sport", "DstAddr", "Dport"),
    labels=("Label", "label"),
    time=("StartTime",),
    blank="-",
)
