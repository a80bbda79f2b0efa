"""Crops of a reference: a fragment, and a read within it; and the fragments that cover it all."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64, UInt8
from torch import Tensor

from contraview.core.errors import InputError
from contraview.modalities.sequences.data import Sequences
from contraview.modalities.sequences.letters import UNKNOWN

Range = tuple[int, int]
"""The least and the most bases, both included."""


@dataclass(frozen=True)
class Crops:
    """Places of pairs in the letters of `Sequences`: a fragment, and a read that lies within it."""

    fragment: Int64[np.ndarray, " n"]
    fragment_length: Int64[np.ndarray, " n"]
    read: Int64[np.ndarray, " n"]
    read_length: Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class CropInCrop:
    """Draws a fragment around a place of the reference, and a read inside the fragment.

    DNA-ESA, arXiv 2309.11087, section on training: lengths are uniform, and so is the place of the
    read. A fragment stays within its sequence: one near an end is moved in, one longer than its
    sequence is cut to it.

    Attributes:
        reference: what is cropped.
        fragments: bases of a fragment.
        reads: bases of a read.
    """

    reference: Sequences
    fragments: Range
    reads: Range

    def __post_init__(self) -> None:
        shortest = int(self.reference.lengths.min())
        if shortest < self.reads[0]:
            which = self.reference.names[int(self.reference.lengths.argmin())]
            raise InputError(
                f"{self.reference.source}: sequence {which!r} has {shortest} bases; expected at "
                f"least {self.reads[0]}, the shortest read"
            )

    def __call__(self, places: Int[Tensor, " n"], generator: torch.Generator) -> Crops:
        """One pair a place (a number of a base over all sequences), where the fragment begins."""
        place = places.cpu().numpy().astype(np.int64)
        draws = torch.rand(3, len(place), generator=generator, device=generator.device)
        one, two, three = draws.cpu().double().numpy()
        ends = self.reference.ends
        owner = np.searchsorted(ends, place, side="right") - 1
        begin, end = ends[owner], ends[owner + 1]
        length = np.minimum(_uniform(self.fragments, one), end - begin)
        start = np.minimum(place, end - length)
        read = np.minimum(_uniform(self.reads, two), length)
        offset = (three * (length - read + 1)).astype(np.int64)
        return Crops(start, length, start + offset, read)


def _uniform(bounds: Range, draw: np.ndarray) -> Int64[np.ndarray, " n"]:
    return bounds[0] + (draw * (bounds[1] - bounds[0] + 1)).astype(np.int64)


def cut(
    bases: UInt8[np.ndarray, " m"],
    starts: Int64[np.ndarray, " n"],
    lengths: Int64[np.ndarray, " n"],
) -> list[UInt8[np.ndarray, " _"]]:
    """The pieces that begin at ``starts``."""
    return [bases[s : s + n] for s, n in zip(starts.tolist(), lengths.tolist(), strict=True)]


def substituted(
    sequences: list[UInt8[np.ndarray, " _"]], share: float, generator: np.random.Generator
) -> list[UInt8[np.ndarray, " _"]]:
    """Each known base is another one with chance ``share``; lengths stay."""
    altered = []
    for each in sequences:
        hit = (generator.random(len(each)) < share) & (each < UNKNOWN)
        moved = (each + generator.integers(1, 4, len(each))) % 4
        altered.append(np.where(hit, moved, each).astype(np.uint8))
    return altered


@dataclass(frozen=True)
class Fragments:
    """The overlapping fragments that cover every base of a reference.

    Attributes:
        starts: where each begins, over all sequences.
        lengths: their bases; the same for all but those of shorter sequences.
        owners: the sequence that each is from.
    """

    starts: Int64[np.ndarray, " n"]
    lengths: Int64[np.ndarray, " n"]
    owners: Int64[np.ndarray, " n"]

    @classmethod
    def of(cls, reference: Sequences, length: int, overlap: int) -> "Fragments":
        """Fragments of ``length`` bases that share ``overlap`` with the next one.

        The last one of a sequence ends with it, and so shares more.
        """
        starts, lengths, owners = [], [], []
        for owner, (begin, end) in enumerate(
            zip(reference.ends[:-1].tolist(), reference.ends[1:].tolist(), strict=True)
        ):
            size = min(length, end - begin)
            own = [*range(begin, end - size, length - overlap), end - size]
            starts += own
            lengths += [size] * len(own)
            owners += [owner] * len(own)
        return cls(*(np.array(each, np.int64) for each in (starts, lengths, owners)))

    def __len__(self) -> int:
        return len(self.starts)

    def cover(
        self, places: Int64[np.ndarray, " m"], length: int, share: float
    ) -> Bool[np.ndarray, "m n"]:
        """Which fragments hold at least ``share`` of the ``length`` bases from each place on."""
        first = np.maximum(places[:, None], self.starts)
        last = np.minimum(places[:, None] + length, self.starts + self.lengths)
        return last - first >= share * length
