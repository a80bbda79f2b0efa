"""DNA sequences from what people have: FASTA, FASTQ, strings."""

import glob
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Int, Int64, UInt8
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.sequences.fasta import Record, clean, read_records
from contraview.modalities.sequences.letters import numbers

PART: Final = 1024


class SequenceSource(Config):
    """How to read sequences."""

    least: int = Field(1, ge=1, description="shortest sequence accepted, in bases")

    def read(self, source: Any) -> "Sequences":
        """The sequences of ``source``; see `read_sequences`."""
        if isinstance(source, Sequences):
            return source
        name, records = _records(source)
        if not records:
            raise InputError(f"{name}: holds no sequence; expected at least one")
        sequences = Sequences.of(name, records)
        short = sequences.lengths < self.least
        if short.any():
            which = int(short.argmax())
            raise InputError(
                f"{name}: sequence {sequences.names[which]!r} has {sequences.lengths[which]} "
                f"bases; expected at least {self.least}"
            )
        return sequences


def read_sequences(source: Any, settings: SequenceSource | None = None) -> "Sequences":
    """Read DNA sequences, one an item.

    Lower case (soft masking) is read as upper case, U as T. N and the other IUPAC letters are kept
    as they are, and count as unknown bases.

    Args:
        source: a FASTA or FASTQ file, plain or gzip, or a glob; or a tuple of these. Or a list of
            strings, which are sequences themselves, or a mapping of names to strings.
        settings: how to read them.

    Raises:
        InputError: nothing there, no such format, a letter that is no DNA: with file and line.
    """
    return (settings or SequenceSource.of()).read(source)


@dataclass(frozen=True)
class Sequences:
    """Sequences one after the other in one array.

    Attributes:
        source: how messages call where they are from.
        names: one a sequence.
        letters: of all sequences, upper case ASCII.
        ends: where each sequence begins in ``letters``, and the end of the last.
        quality: Phred characters as long as ``letters``, where the source has them.
    """

    source: str
    names: tuple[str, ...]
    letters: UInt8[np.ndarray, " bases"]
    ends: Int64[np.ndarray, " m"]
    quality: UInt8[np.ndarray, " bases"] | None = None

    @classmethod
    def of(cls, source: str, records: Sequence[Record]) -> "Sequences":
        """Records as one array."""
        known = all(record.quality is not None for record in records)
        return cls(
            source,
            tuple(record.name for record in records),
            np.frombuffer(b"".join(record.letters for record in records), np.uint8),
            np.cumsum([0, *(len(record.letters) for record in records)], dtype=np.int64),
            np.frombuffer(b"".join(record.quality or b"" for record in records), np.uint8)
            if known
            else None,
        )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> UInt8[np.ndarray, " n"]:
        """The letters of one sequence."""
        return self.letters[self.ends[number] : self.ends[number + 1]]

    @property
    def lengths(self) -> Int64[np.ndarray, " n"]:
        """Bases of each sequence."""
        return np.diff(self.ends)

    @cached_property
    def bases(self) -> UInt8[np.ndarray, " bases"]:
        """All letters as numbers 0 to 3, 4 for what is not one certain base."""
        return numbers(self.letters)

    def parts(self) -> Iterator["Sequences"]:
        """The sequences in order, a thousand at a time."""
        for start in range(0, len(self), PART):
            yield self.take(range(start, min(start + PART, len(self))))

    def collect(self) -> pl.DataFrame:
        """Name and length of each sequence."""
        return pl.DataFrame({"name": list(self.names), "length": self.lengths})

    def labels(self) -> Any:
        """Sequences have none."""
        raise InputError(f"{self.source}: sequences have no labels")

    def take(self, rows: Sequence[int] | Int[np.ndarray, " n"]) -> "Sequences":
        """The sequences with these numbers, counted from 0, in this order."""
        wanted = [int(row) for row in rows]
        quality = self.quality
        return Sequences.of(
            self.source,
            [
                Record(
                    self.names[row],
                    self[row].tobytes(),
                    None
                    if quality is None
                    else quality[self.ends[row] : self.ends[row + 1]].tobytes(),
                )
                for row in wanted
            ],
        )

    def fingerprint(self) -> str:
        """SHA-256 over names and letters."""
        digest = hashlib.sha256("\x1f".join(self.names).encode())
        digest.update(self.ends.tobytes())
        digest.update(self.letters.tobytes())
        return digest.hexdigest()


def _records(source: Any) -> tuple[str, list[Record]]:
    if isinstance(source, (str, Path)):
        source = (source,)
    if isinstance(source, list) and source and all(isinstance(each, Path) for each in source):
        source = tuple(source)
    if isinstance(source, tuple) and source:
        paths = [path for each in source for path in _paths(str(each))]
        return str(paths[0]), [record for path in paths for record in read_records(path)]
    if isinstance(source, list):
        source = {f"sequence_{number}": each for number, each in enumerate(source, 1)}
    if not isinstance(source, Mapping):
        raise InputError(
            f"{type(source).__name__}: no source of sequences; expected a FASTA or FASTQ file, "
            "strings, or names with strings"
        )
    return "strings", [_record(str(name), each) for name, each in source.items()]


def _record(name: str, letters: Any) -> Record:
    if not isinstance(letters, str) or not letters.strip():
        raise InputError(f"sequence {name!r}: expected a string of DNA letters")
    return Record(name, clean(f"sequence {name!r}", letters.encode("utf-8")))


def _paths(source: str) -> list[Path]:
    if not source:
        raise InputError("no file named; expected FASTA or FASTQ")
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file or a glob such as '{path}/*.fa'")
    if any(sign in source for sign in "*?["):
        # Path.glob takes no absolute pattern.
        found = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        if files := [each for each in found if each.is_file()]:
            return files
        raise InputError(f"{source}: no file of this form")
    raise InputError(f"{path}: no such file")
