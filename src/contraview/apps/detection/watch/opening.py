"""From what a person names to the source that grows."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contraview.apps.detection.detector import Detector
from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.kinds.known import kind_named
from contraview.modalities.flows.kinds.metered import INTERCHANGEABLE, METER_LYCOS, METER_STD
from contraview.modalities.flows.kinds.nfdump import NFDUMP
from contraview.modalities.flows.live.captures import CaptureSupply, PipeSupply
from contraview.modalities.flows.live.interface import InterfaceSupply, is_interface
from contraview.modalities.flows.live.logs import LogPipe, LogSource
from contraview.modalities.flows.live.netflow import NetflowSource
from contraview.modalities.flows.live.packets import PacketSource
from contraview.modalities.flows.live.pipe import Pipe
from contraview.modalities.flows.live.source import Clock, Place, Source
from contraview.modalities.flows.live.tail import Series, Tail
from contraview.modalities.flows.readers.blocks import TextFile
from contraview.modalities.flows.readers.capture import is_capture

LOGS: Final = ("conn.log", "eve.json")
"""The logs that are looked for in a folder."""
CAPTURES: Final = "*.pcap*"
"""The captures that are looked for in a folder without such a log."""
UDP: Final = "udp://"
METERED: Final = {"std": METER_STD, "lycos": METER_LYCOS}
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

    def need(self, name: str, kind: Kind) -> None:
        """Refuse a source of another kind than the model's."""
        if kind != self.kind:
            raise InputError(
                f"{name}: gives {kind.name} records, but the model learnt from {self.kind.name}"
            )

    def mode(self, name: str) -> str:
        """How packets are to be cut into flows for the model."""
        for mode, kind in METERED.items():
            if self.kind.name in (kind.name, *(INTERCHANGEABLE if mode == "lycos" else ())):
                return mode
        raise InputError(f"{name}: gives packets, but the model learnt from {self.kind.name}")


def grows(names: Sequence[str]) -> bool:
    """Whether a source that a person names can only be followed: it is no finished file."""
    name = names[0]
    return name == "-" or name.startswith(UDP) or (not Path(name).exists() and is_interface(name))


def open_source(
    name: str, detector: Detector, *, clock: Clock, poll: float = POLL, saved: Place | None = None
) -> Source:
    """The source that ``name`` stands for: ``-``, ``udp://HOST:PORT``, an interface, a file, a
    folder with a sensor's log or with captures, or a pattern of files.

    Raises:
        InputError: there is none, or it gives another kind of record than the model learnt from.
    """
    wanted = Wanted.of(detector)
    if name == "-":
        pipe = Pipe(0)
        if is_capture(pipe.peek()):
            return PacketSource(PipeSupply(pipe), wanted.mode(pipe.name), clock=clock)
        return LogPipe(pipe, wanted.kind, wanted.numeric, wanted.categorical)
    if name.startswith(UDP):
        wanted.need(name, NFDUMP)
        return NetflowSource(*_address(name), wanted.numeric, wanted.categorical)
    if not Path(name).exists() and is_interface(name):
        return PacketSource(InterfaceSupply(name), wanted.mode(name), clock=clock)
    place = None if saved is None else saved.facts
    series, path = _files(name)
    if _holds_packets(path, wanted.kind):
        mode = wanted.mode(str(path))
        before = place and place["supply"]
        # A capture is read from its begin again, for what it says of its interfaces.
        found = before and before["tail"] | {"offset": 0}
        tail = Series(series, found) if series else Tail(path, found)
        skip = before["packets"] if before and not tail.lost else 0
        supply = CaptureSupply(tail, clock=clock, poll=poll, skip=skip)
        return PacketSource(supply, mode, clock=clock, saved=saved)
    found = place and place["tail"]
    tail = Series(series, found) if series else Tail(path, found)
    return LogSource(tail, wanted.kind, wanted.numeric, wanted.categorical, clock=clock, poll=poll)


def _files(name: str) -> tuple[str | None, Path]:
    """The pattern, where files of ever new names are meant, and one of the files."""
    path = Path(name)
    if path.is_dir():
        for log in LOGS:
            if (path / log).is_file():
                return None, path / log
        name = str(path / CAPTURES)
    elif path.exists():
        return None, path
    found = sorted(map(Path, glob.glob(name, recursive=True)))  # noqa: PTH207
    if found:
        return name, found[0]
    if path.is_dir():
        raise InputError(f"{path}: holds no {', no '.join(LOGS)} and no capture ({CAPTURES})")
    raise InputError(f"{name}: no such file or folder")


def _holds_packets(path: Path, kind: Kind) -> bool:
    """Whether a file is a capture; of an empty one the model's kind tells what it will be."""
    try:
        magic = TextFile(path).magic()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return is_capture(magic) if magic else kind in METERED.values()


def _address(name: str) -> tuple[str, int]:
    host, _, port = name.removeprefix(UDP).rpartition(":")
    if not (host and port.isdecimal() and int(port) < 1 << 16):
        raise InputError(f"{name}: expected {UDP}HOST:PORT, such as {UDP}127.0.0.1:2055")
    return host.strip("[]"), int(port)
