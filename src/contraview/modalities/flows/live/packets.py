"""Packets as a source of flows: the meter kept open, whatever brings the packets."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from contraview.core.errors import InputError
from contraview.modalities.flows.live.source import Batch, Clock, Place, Trouble
from contraview.modalities.flows.meter.columns import table
from contraview.modalities.flows.meter.counts import MeterCounts
from contraview.modalities.flows.meter.feed import Records
from contraview.modalities.flows.meter.mode import SECOND, Mode
from contraview.modalities.flows.meter.open_flows import OpenFlows
from contraview.modalities.flows.meter.state import FLOW
from contraview.modalities.flows.meter.windows import MAX_OPEN

GRACE: Final = 2.0
"""Seconds by which a packet may reach us after it was stamped."""


@dataclass(frozen=True)
class Arrival:
    """Packets that came.

    Attributes:
        records: the packets; None where none came.
        dropped: packets lost since the last arrival.
        queued: what waits to be read, in ``unit``.
        troubles: what changed about the supply.
    """

    records: Records | None = None
    dropped: int = 0
    queued: int = 0
    unit: str = "bytes"
    troubles: tuple[Trouble, ...] = ()


@runtime_checkable
class Supply(Protocol):
    """Where packets come from."""

    name: str
    replayable: bool

    def next(self, wait: float) -> Arrival | None:
        """Packets, valid until the next call; waits at most ``wait`` seconds. None at the end."""
        ...

    def place(self) -> dict[str, Any]:
        """Where to go on after the packets that were given."""
        ...

    def close(self) -> None:
        """Give back files and sockets."""
        ...


class PacketSource:
    """Flows of the packets that a supply brings, metered in constant memory.

    While nothing comes at all, flows end by this machine's clock; otherwise by the packets' own.
    """

    def __init__(
        self, supply: Supply, mode: str, *, clock: Clock, saved: Place | None = None
    ) -> None:
        self.name, self.kind = supply.name, f"meter/{mode}"
        self.replayable = supply.replayable
        self._supply, self._clock = supply, clock
        self._mode = Mode.named(mode)
        self._flows = OpenFlows(self._mode, MAX_OPEN)
        self._came = clock.elapsed()
        self._over = False
        active, idle = self._mode.active // SECOND, self._mode.idle // SECOND
        longest = active if self._mode.lycos else active + idle
        self.delay = f"{longest + GRACE + 1:,.0f} s (active time-out {active:,} s"
        self.delay += ")" if self._mode.lycos else f", idle time-out {idle:,} s)"
        if saved is not None:
            self._restore(saved)

    def read(self, wait: float) -> Batch | None:
        """The flows that ended."""
        if self._over:
            return None
        arrival = self._supply.next(wait)
        if arrival is None:
            self._over = True
            return Batch(self._table(self._flows.finish()))
        if arrival.records is None or not arrival.records.start.size:
            silence = self._clock.elapsed() - self._came - GRACE
            ended = self._flows.elapse(int(max(silence, 0.0) * SECOND))
            return self._batch(arrival, ended, MeterCounts())
        self._came = self._clock.elapsed()
        return self._batch(arrival, *self._flows.take(arrival.records))

    def place(self) -> Place:
        """The packets read, and the flows that are open."""
        facts = {
            "supply": self._supply.place(),
            "clock": self._flows.clock.state,
            "layout": str(FLOW),
        }
        return Place(facts, {"flows": self._flows.flows.view(np.uint8)})

    def rest(self) -> Batch:
        """The open flows, where the packets cannot be read again."""
        if self.replayable or self._over:
            return Batch()
        return Batch(self._table(self._flows.finish()))

    def close(self) -> None:
        """Close the supply."""
        self._supply.close()

    def _restore(self, saved: Place) -> None:
        if saved.facts["layout"] != str(FLOW):
            raise InputError(
                f"{self.name}: the flows left open were kept by another version of contraview; "
                "finish with that one, or move the cursor away to begin anew"
            )
        self._flows.clock.restore(saved.facts["clock"])
        self._flows.flows = saved.arrays["flows"].view(FLOW).copy()

    def _batch(self, arrival: Arrival, ended: np.ndarray, counts: MeterCounts) -> Batch:
        return Batch(
            self._table(ended),
            received=counts.packets,
            malformed=counts.malformed + counts.truncated + counts.unknown_link,
            dropped=arrival.dropped,
            queued=arrival.queued,
            unit=arrival.unit,
            troubles=arrival.troubles,
        )

    def _table(self, ended: np.ndarray) -> Any:
        return table(ended, self._mode) if ended.size else None
