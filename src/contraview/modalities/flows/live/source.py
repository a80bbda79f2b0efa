"""What every source that grows gives: batches of flows, and the place to go on from."""

from dataclasses import dataclass, field
from time import monotonic, sleep, time
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import polars as pl

Sort = Literal["columns", "records", "clock", "gap", "cut", "drops"]
"""What can become of a source: other columns, records that cannot be read, a clock that was set,
records that were rotated away unread, a capture that was cut, packets that were lost."""


@dataclass(frozen=True)
class Trouble:
    """Something about the source that a person should know: not an attack, but no normal state."""

    sort: Sort
    text: str


@dataclass(frozen=True)
class Batch:
    """What a source gave in one reading.

    Attributes:
        rows: flows with typed columns, as `Flows` have them; None where none came.
        received: records (of a log, of NetFlow) or packets read, whatever became of them.
        malformed: those of them that could not be understood.
        dropped: those lost before they could be read, as the kernel or the exporter says.
        queued: what waits to be read, in ``unit``.
        unit: what ``queued`` counts.
        troubles: what changed about the source.
    """

    rows: pl.DataFrame | None = None
    received: int = 0
    malformed: int = 0
    dropped: int = 0
    queued: int = 0
    unit: str = "bytes"
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a restart goes on: facts that JSON can hold, and arrays."""

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@runtime_checkable
class Source(Protocol):
    """Flows from somewhere, as long as there are any."""

    name: str
    kind: str
    delay: str
    """The longest time from a flow's first packet to its appearance here, in words."""
    replayable: bool
    """Whether what was read can be read again from an earlier `place`."""

    def read(self, wait: float) -> Batch | None:
        """What has come; waits at most ``wait`` seconds for it. None at the end."""
        ...

    def place(self) -> Place:
        """Where to go on after all that `read` gave."""
        ...

    def rest(self) -> Batch:
        """What is held and would be lost at the end: the open flows of what cannot be replayed."""
        ...

    def close(self) -> None:
        """Give back files and sockets."""
        ...


@runtime_checkable
class Clock(Protocol):
    """The time of day, and waiting for it to pass."""

    def time(self) -> float:
        """Seconds since 1970 (UTC)."""
        ...

    def elapsed(self) -> float:
        """Seconds since some moment; never runs backward."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Seconds since 1970 (UTC)."""
        return time()

    def elapsed(self) -> float:
        """Seconds since some moment; never runs backward."""
        return monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        sleep(seconds)
