"""One clock for a capture: it never runs backward."""

from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Int64

from contraview.modalities.flows.meter.mode import SECOND

RESTART: Final = 120 * SECOND
"""A stamp this far behind the one before it starts the clock anew."""

STEP: Final = 86_400 * SECOND
"""The longest step from a packet to the next: longer than any flow may be silent."""


class Clock:
    """Turns stamps into an axis on which every later packet is at the same time or later.

    A stamp a little behind takes the time of the packet before it (several queues, interfaces).
    One far behind (captures pasted together) restarts the clock a day later on the axis, so that
    every open flow ends there. The rule looks at no future packet: windows of any size agree.
    """

    def __init__(self) -> None:
        self._stamp: int | None = None
        self._latest = 0
        self.now = 0
        """The axis at the last packet (microseconds since the first)."""

    @property
    def state(self) -> list[int | None]:
        """What `restore` needs."""
        return [self._stamp, self._latest, self.now]

    def restore(self, state: list[int | None]) -> None:
        """Go on from where another clock stood."""
        self._stamp, latest, now = state
        self._latest, self.now = latest or 0, now or 0

    def read(
        self, stamps: Int64[np.ndarray, " n"]
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], int]:
        """The axis and the corrected stamp of each packet, and how many ran backward."""
        if not stamps.size:
            return stamps, stamps, 0
        if self._stamp is None:
            self._stamp = self._latest = int(stamps[0])
        restarts = np.flatnonzero(np.diff(stamps, prepend=self._stamp) < -RESTART)
        latest = np.empty_like(stamps)
        bounds = [0, *restarts.tolist(), stamps.size]
        for k, (begin, end) in enumerate(pairwise(bounds)):
            np.maximum.accumulate(stamps[begin:end], out=latest[begin:end])
            if k == 0:
                np.maximum(latest[:end], self._latest, out=latest[:end])
        steps = np.diff(latest, prepend=self._latest)
        steps[restarts] = STEP
        axis = self.now + np.cumsum(np.minimum(steps, STEP))
        backward = int(np.count_nonzero(stamps < latest)) + restarts.size
        self._stamp, self._latest, self.now = int(stamps[-1]), int(latest[-1]), int(axis[-1])
        return axis, latest, backward
