"""From what a person names to the source that grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contraview.apps.detection.detector import Detector
from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.known import kind_named
from contraview.modalities.flows.live.logs import LogPipe, LogSource
from contraview.modalities.flows.live.pipe import Pipe
from contraview.modalities.flows.live.source import Clock, Place, Source

LOGS: Final = ("conn.log", "eve.json")
"""The logs that are looked for in a folder."""
POLL: Final = 1.0
"""Seconds between two looks at a file that has not grown."""


@dataclass(frozen=True)
class Wanted:
    """The kind of record that a model judges, and the columns it needs."""

    kind: Kind
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @classmethod
    def of(cls, detector: Detector) -> "Wanted":
        """What a detector needs, the columns of its rules included."""
        features = detector.clan.features
        words = [c for c, value in features.constant.items() if isinstance(value, str)]
        return cls(
            kind_named(detector.clan.kind),
            (*features.numeric, *(c for c in features.constant if c not in words)),
            (*features.categories, *words),
        )


def grows(names: Sequence[str]) -> bool:
    """Whether a source that a person names can only be followed: it is no finished file."""
    return names[0] == "-"


def open_source(
    name: str, detector: Detector, *, clock: Clock, poll: float = POLL, saved: Place | None = None
) -> Source:
    """The source that ``name`` stands for.

    Raises:
        InputError: there is none, or it gives another kind of record than the model learnt from.
    """
    wanted = Wanted.of(detector)
    kind, numeric, categorical = wanted.kind, wanted.numeric, wanted.categorical
    if name == "-":
        pipe = Pipe(0)
        return LogPipe(pipe, kind, numeric, categorical)
    path = _log(Path(name))
    return LogSource(path, kind, numeric, categorical, clock=clock, poll=poll, saved=saved)


def _log(path: Path) -> Path:
    """The file itself, or the log in a folder."""
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        return path
    for name in LOGS:
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path}: holds no {' and no '.join(LOGS)}; expected the log itself")
