"""Is the source what it was, is the model what it was, does the watcher keep up?"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from contraview.apps.detection.living.suppression import FILE, Suppressions
from contraview.core.errors import InputError
from contraview.core.model_folder import DESCRIPTION

TOLERANCE: Final = timedelta(minutes=10)
"""Records of one sensor are out of order by its own time-outs; beyond this they are late."""
AHEAD: Final = timedelta(hours=1)
"""How far the clock of a source may be ahead of this machine's."""
REPEAT: Final = 3_600.0
"""Seconds after which the same trouble is told again."""


class ClockWatch:
    """Follows the time of records: a clock that is set back, or runs ahead of ours, is told.

    A batch counts by its median, so that one absurd record changes nothing. After a jump the new
    time is the one to go by.

    Attributes:
        latest: the time of the latest batch.
    """

    def __init__(self) -> None:
        self.latest: datetime | None = None
        self._ahead = False

    def see(self, times: pl.Series, now: datetime) -> tuple[int, str | None]:
        """How many of the records are late, and what is wrong with their clock, if anything."""
        times = times.drop_nulls()
        middle = times.sort()[len(times) // 2] if len(times) else None
        if not isinstance(middle, datetime):
            return 0, None
        said, late = None, 0
        if self.latest is not None:
            behind = self.latest - middle
            late = int((times < self.latest - TOLERANCE).sum())
            if behind > TOLERANCE:
                said = f"records went back by {_span(behind)}, to {middle:%Y-%m-%dT%H:%M:%SZ}"
                self.latest = middle
        ahead = middle - now > AHEAD
        if ahead and not self._ahead:
            said = said or (
                f"records are {_span(middle - now)} ahead of this machine's clock, at "
                f"{middle:%Y-%m-%dT%H:%M:%SZ}"
            )
        self._ahead = ahead
        self.latest = middle if self.latest is None else max(self.latest, middle)
        return late, said


class ModelWatch:
    """Notices that the model folder is not the one that was loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.loaded = self._last = self.digest()

    def digest(self) -> str:
        """What names the folder's content: system.json holds the SHA-256 of all other files."""
        try:
            return hashlib.sha256((self._folder / DESCRIPTION).read_bytes()).hexdigest()
        except OSError:
            return ""

    def changed(self) -> str | None:
        """What to say where it changed since this was last asked."""
        now = self.digest()
        if now == self._last:
            return None
        self._last = now
        if now == self.loaded:
            return f"{self._folder}: the model that this watcher loaded is back"
        what = "was fitted or calibrated again" if now else "is gone"
        return (
            f"{self._folder}: the model {what}; this watcher goes on with the one it loaded "
            f"({self.loaded[:12]}), restart it to change over"
        )


class RulesWatch:
    """The suppression rules of a model folder, read again when their file changes.

    Attributes:
        rules: as last read whole; a file that cannot be read changes nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._stamp()
        self.rules = Suppressions.load(folder)

    def look(self) -> str | None:
        """Read the rules again where they changed; what is wrong with them, if anything."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            self.rules = Suppressions.load(self._folder)
        except InputError as error:
            return f"{error}; this watcher goes on with the rules it had"
        return None

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = (self._folder / FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


class Pace:
    """Does what waits to be read grow from look to look?"""

    def __init__(self) -> None:
        self._queued = 0
        self._at: float | None = None
        self._growing = 0

    def look(self, queued: int, unit: str, at: float) -> str | None:
        """What to say where it grew three times in a row."""
        if self._at is None or at <= self._at:
            self._queued, self._at = queued, at
            return None
        rate = (queued - self._queued) / (at - self._at)
        self._growing = self._growing + 1 if rate > 0 and queued > 0 else 0
        self._queued, self._at = queued, at
        if self._growing < 3:
            return None
        self._growing = 0
        return f"{queued:,} {unit} wait to be read, {rate:,.0f} more each second"


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
