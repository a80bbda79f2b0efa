"""NetFlow as ``nfdump -o csv`` writes it: one direction a record, or both with ``-b``."""

from typing import Final

from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.rates import amount, letters, two_way

NFDUMP_MARKS: Final = frozenset(("ts", "te", "td", "sa", "da", "ipkt", "ibyt"))

NFDUMP: Final = Kind(
    name="nfdump",
    marks=NFDUMP_MARKS,
    numbers=("td", "ipkt", "ibyt", "opkt", "obyt"),
    categorical=("pr",),
    text=("flg",),
    derived={
        **two_way(
            seconds=amount("td"),
            fwd_bytes=amount("ibyt"),
            bwd_bytes=amount("obyt"),
            fwd_packets=amount("ipkt"),
            bwd_packets=amount("opkt"),
        ),
        **letters("flg", {"U": "urg", "A": "ack", "P": "psh", "R": "rst", "S": "syn", "F": "fin"}),
    },
    identity=(
        *("sa", "da", "sp", "dp", "in", "out", "sas", "das", "nh", "nhb", "svln", "dvln"),
        *("ismc", "odmc", "idmc", "osmc", "ra", "eng"),
    ),
    time=("ts", "te"),
    optional=frozenset(("opkt", "obyt", "flg")),
    blank="-",
)
