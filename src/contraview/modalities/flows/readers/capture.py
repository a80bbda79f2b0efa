"""Captures, through the meter."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from contraview.core.errors import InputError
from contraview.modalities.flows.readers.raw import Raw
from contraview.modalities.flows.readers.spool import spool

_MAGIC: Final = frozenset(
    bytes.fromhex(start) for start in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "0a0d0d0a")
)


def is_capture(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is pcap or pcapng."""
    return head[:4] in _MAGIC


def read_capture(path: Path, mode: str) -> Raw:
    """The flows of a capture, metered in constant memory."""
    from contraview.modalities.flows.meter import MeterCounts, stream

    totals = MeterCounts()

    def tables() -> Iterator[pa.Table]:
        nonlocal totals
        for part in stream(path, mode):
            totals = totals + part.counts
            if part.frame.height:
                yield part.frame.to_arrow()

    cells = spool(tables())
    if cells is None:
        raise InputError(f"{path}: holds no flows; expected packets of IPv4 or IPv6")
    raw = Raw(str(path), cells.sort("timestamp", "flow_id", maintain_order=True))
    raw.kind = f"meter/{mode}"
    raw.notes.append(f"{path}: {_sentence(asdict(totals))}")
    return raw


def _sentence(counts: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count
    )
