"""What CICFlowMeter writes: CIC-IDS2017, CSE-CIC-IDS2018 and captures of one's own.

Its versions spell columns differently, so inputs are all columns that hold numbers.
"""

from typing import Final

from contraview.modalities.flows.kinds.kind import Kind

CICFLOWMETER: Final = Kind(
    name="cicflowmeter",
    marks=frozenset(("Flow Duration", "Flow IAT Mean", "Fwd PSH Flags", "Active Mean", "Idle Min")),
    categorical=("Protocol",),
    identity=(
        "Flow ID",
        *("Source IP", "Source Port", "Destination IP", "Destination Port"),
        *("Src IP", "Src Port", "Dst IP", "Dst Port"),
    ),
    labels=("Label",),
    time=("Timestamp",),
    benign="Label in [BENIGN, Benign]",
    optional=frozenset(("Protocol",)),
)
