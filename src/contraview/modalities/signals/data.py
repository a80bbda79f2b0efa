"""Signals as a person has them, cut into segments: `read_signals` gives `Signals`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.signals.arrays import from_arrays, from_npz
from contraview.modalities.signals.recording import Recording
from contraview.modalities.signals.tables import Columns, from_table, read_table, read_ucr

Found = tuple[list[Recording], tuple[str, ...]]
"""Recordings, and the names of their channels."""


class SignalSource(Config):
    """How recordings are read and cut. Lengths are in samples."""

    layout: Literal["long", "wide"] = Field(
        "long",
        description="tables: one row a sample with a column a channel (long), or one row a "
        "recording with a column a sample (wide, one channel)",
    )
    subject: str | None = Field(
        "subject",
        description="the column or array that says whose a row is; unset: each file (wide tables: "
        "each row) or array is a subject of its own",
    )
    recording: str | None = Field(
        None, description="long tables: the column that tells recordings of a subject apart"
    )
    time: str | None = Field(
        None,
        description="long tables: the column with the time of each sample, as a number or a "
        "date; where it jumps, a new recording begins",
    )
    channels: tuple[str, ...] = Field(
        (), description="tables: the columns to read; unset: every other column"
    )
    labels: str | None = Field(
        None, description="the column or array with what is known of each subject"
    )
    window: int | None = Field(
        None, ge=2, description="samples of a segment; unset: a recording is a segment"
    )
    step: int | None = Field(
        None, ge=1, description="samples from a segment's start to the next; unset: the window"
    )
    max_gap: int = Field(
        0, ge=0, description="missing samples in a row that a straight line may bridge"
    )
    unusable: Literal["refuse", "skip"] = Field(
        "refuse",
        description="recordings shorter than a segment, segments with missing samples: refuse "
        "the data, or leave them out",
    )

    def read(self, source: Any) -> "Signals":
        """The segments of ``source``; see `read_signals`."""
        if isinstance(source, Signals):
            return source
        recordings, channels = self._recordings(source)
        return cut(recordings, channels, self)

    def _recordings(self, source: Any) -> Found:
        if isinstance(source, str | Path):
            return self._file(Path(source))
        if isinstance(source, pl.DataFrame):
            return from_table("table", source, self._columns(), "table")
        if isinstance(source, Mapping):
            return from_arrays("arrays", source, self.subject, self.labels)
        if type(source).__module__.partition(".")[0] == "pandas":
            return self._recordings(pl.from_pandas(source))
        if isinstance(source, np.ndarray):
            return from_arrays("arrays", {"signals": source}, self.subject, self.labels)
        if isinstance(source, Sequence) and len(source):
            if all(isinstance(each, np.ndarray) for each in source):
                return from_arrays("arrays", {"signals": source}, self.subject, self.labels)
            if all(isinstance(each, str | Path) for each in source):
                return self._files([Path(each) for each in source])
        raise InputError(
            f"signals: got {type(source).__name__}; expected paths (.csv, .parquet, .npz, UCR "
            ".txt), a table, an array [n, c, t], a list of arrays [c, t], or a mapping with "
            "'signals' and 'subject'"
        )

    def _files(self, paths: list[Path]) -> Found:
        recordings: list[Recording] = []
        names: tuple[str, ...] = ()
        for path in paths:
            found, channels = self._file(path)
            if recordings and channels != names:
                raise InputError(
                    f"{path}: channels {', '.join(channels)}; {paths[0]} has {', '.join(names)}; "
                    "expected the same in every file"
                )
            recordings, names = [*recordings, *found], channels
        return recordings, names

    def _file(self, path: Path) -> Found:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        match path.suffix.lower():
            case ".csv" | ".parquet":
                return from_table(str(path), read_table(path), self._columns(), path.stem)
            case ".txt" | ".tsv":
                return read_ucr(path, self.labels, self.subject)
            case ".npz":
                return from_npz(path, self.subject, self.labels)
        raise InputError(f"{path}: expected .csv, .parquet, .npz, or a UCR archive's .txt or .tsv")

    def _columns(self) -> Columns:
        return Columns(
            wide=self.layout == "wide",
            subject=self.subject,
            recording=self.recording,
            time=self.time,
            labels=self.labels,
            channels=self.channels,
        )


def read_signals(source: Any, settings: SignalSource | None = None, **knobs: Any) -> "Signals":
    """Read recordings and cut them into segments.

    Args:
        source: a path or several (.csv, .parquet, .npz, a UCR archive's .txt), a polars or pandas
            table, an array [n, c, t] or [n, t], a list of arrays [c, t] or [t], or a mapping with
            ``signals`` (such arrays) and ``subject`` (whose each is). `Signals` are given back as
            they are.
        settings: how to read them.
        **knobs: the fields of `SignalSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, damaged, no subject column, missing samples, recordings that
            are too short; one line that says where.
    """
    return (settings or SignalSource.of(**knobs)).read(source)


def cut(
    recordings: Sequence[Recording], channels: tuple[str, ...], source: SignalSource
) -> "Signals":
    """The segments of ``recordings``: every ``step`` samples one of ``window`` samples."""
    if not recordings:
        raise InputError("signals: no recordings; expected at least one")
    window = source.window or recordings[0].samples.shape[1]
    step, skip = source.step or window, source.unusable == "skip"
    owner: list[int] = []
    start: list[int] = []
    kept = []
    for number, found in enumerate(recordings):
        recording = found.bridged(source.max_gap)
        length = recording.samples.shape[1]
        if source.window is None and length != window and not skip:
            raise InputError(
                f"{recording.name}: {length} samples, but {recordings[0].name} has {window}; "
                "say how long a segment is (window)"
            )
        if length < window and not skip:
            raise InputError(
                f"{recording.name}: {length} samples are shorter than a segment of {window}; "
                "expected longer recordings, or unusable=skip"
            )
        if not skip:
            recording.need_whole(channels)
        holes = np.concatenate([[0], np.isnan(recording.samples).any(0).cumsum()])
        firsts = np.arange(0, length - window + 1, step)
        firsts = firsts[holes[firsts + window] == holes[firsts]]
        owner += [number] * len(firsts)
        start += firsts.tolist()
        kept.append(recording)
    if not owner:
        raise InputError(
            f"{recordings[0].name}: no segment of {window} samples without missing ones; expected "
            "at least one"
        )
    return Signals(
        tuple(kept), channels, window, np.asarray(owner), np.asarray(start), source.labels
    )


@dataclass(frozen=True, eq=False)
class Signals:
    """Segments of recordings; an item is a segment.

    Attributes:
        recordings: the samples, and whose they are.
        channels: their names.
        window: samples of a segment.
        owner: the recording of each segment.
        start: where in its recording each segment begins.
        label: the name of the labels, where there are any.
    """

    recordings: tuple[Recording, ...]
    channels: tuple[str, ...]
    window: int
    owner: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    label: str | None = None

    def __len__(self) -> int:
        return len(self.owner)

    def parts(self) -> Iterator["Signals"]:
        """All segments at once: they are in memory already."""
        yield self

    def segments(self, rows: Int[np.ndarray, " b"] | None = None) -> Float[np.ndarray, "b c t"]:
        """The samples of these segments, of all by default, in single precision."""
        chosen = np.arange(len(self)) if rows is None else rows
        out = np.empty((len(chosen), len(self.channels), self.window), np.float32)
        for place, row in enumerate(chosen):
            first = self.start[row]
            out[place] = self.recordings[self.owner[row]].samples[:, first : first + self.window]
        return out

    def sessions(self) -> Int[np.ndarray, " n"]:
        """The recording of each segment: what was recorded together."""
        return self.owner

    def groups(self) -> Shaped[np.ndarray, " n"]:
        """Whose each segment is."""
        return np.asarray([self.recordings[i].subject for i in self.owner])

    def collect(self) -> pl.DataFrame:
        """One row a segment: its recording, whose it is, its first sample (from 0), its label."""
        owners = [self.recordings[i] for i in self.owner]
        table = {
            "source": [each.name for each in owners],
            "subject": [each.subject for each in owners],
            "start": self.start,
        }
        return pl.DataFrame(table | ({self.label: self.labels()} if self.label else {}))

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The label of each segment's subject: numbers where all are, else text."""
        if self.label is None:
            raise InputError("signals: no labels; name their column with labels")
        return np.asarray([self.recordings[i].label for i in self.owner])

    def take(self, rows: Any) -> "Signals":
        """The segments with these numbers, in this order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return replace(self, owner=self.owner[chosen], start=self.start[chosen])

    def fingerprint(self) -> str:
        """SHA-256 over segments, subjects and channel names, in order."""
        digest = hashlib.sha256("\x1f".join((*self.channels, *self.groups().tolist())).encode())
        for place in range(0, len(self), 1024):
            rows = np.arange(place, min(place + 1024, len(self)))
            digest.update(self.segments(rows).tobytes())
        return digest.hexdigest()
