"""Flows with the 75 LycoSTand-named statistics: Lycos2017, and the project's own meter."""

from dataclasses import replace
from typing import Final

from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.schema import IDENTITY, STATISTICS, TIME

LYCOS2017: Final = Kind(
    name="lycos2017",
    marks=frozenset(STATISTICS),
    numbers=STATISTICS,
    identity=(*IDENTITY, "community_id"),
    labels=("label",),
    time=(*TIME, "last_seen"),
    benign="label == benign",
)
"""LYCOS-IDS2017 (Rosay et al. 2021, doi:10.1145/3486622.3493973)."""

METER_LYCOS: Final = replace(LYCOS2017, name="meter/lycos", marks=frozenset())
"""Flows of a capture as LycoSTand would cut them."""

METER_STD: Final = replace(LYCOS2017, name="meter/std", marks=frozenset())
"""Flows of a capture by the meter's own definitions.

Both of the meter's kinds have the columns of Lycos2017, so a file of them must name its kind (see
`contraview.modalities.flows.readers.parquet`); a file that does not is read as Lycos2017.
"""

INTERCHANGEABLE: Final = frozenset((LYCOS2017.name, METER_LYCOS.name))
"""Kinds whose flows a model may be given in place of each other."""
