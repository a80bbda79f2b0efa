"""All known kinds, and which of them a table is."""

from collections.abc import Iterable
from typing import Final

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.binetflow import BINETFLOW
from contraview.modalities.flows.kinds.cicflowmeter import CICFLOWMETER
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.metered import LYCOS2017, METER_LYCOS, METER_STD
from contraview.modalities.flows.kinds.nfdump import NFDUMP
from contraview.modalities.flows.kinds.nsl_kdd import NSL_KDD
from contraview.modalities.flows.kinds.suricata import SURICATA_EVE
from contraview.modalities.flows.kinds.unsw_nb15 import UNSW_NB15
from contraview.modalities.flows.kinds.zeek import ZEEK_CONN

TABLE: Final = Kind(name="table")
"""Any other table; its roles are found from names and values."""

_KINDS: Final = (
    UNSW_NB15,
    NSL_KDD,
    METER_STD,
    METER_LYCOS,
    LYCOS2017,
    CICFLOWMETER,
    ZEEK_CONN,
    SURICATA_EVE,
    BINETFLOW,
    NFDUMP,
)
KINDS: Final = {kind.name: kind for kind in (*_KINDS, TABLE)}


def recognise(columns: Iterable[str]) -> Kind:
    """The known kind whose marks are all among ``columns``, or any table."""
    there = set(columns)
    return next((kind for kind in _KINDS if kind.marks and kind.marks <= there), TABLE)


def kind_named(name: str) -> Kind:
    """The kind called ``name``."""
    if name not in KINDS:
        raise InputError(f"no kind of flow record {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]
