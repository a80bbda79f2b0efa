"""From the nearest fragments of a read to its place: verified by local alignment."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt8

from contraview.modalities.sequences import sam
from contraview.modalities.sequences.alignment import Alignment, Scoring, align, scores
from contraview.modalities.sequences.data import Sequences
from contraview.modalities.sequences.letters import numbers, reverse_complement
from contraview.systems.dna_esa.config import DnaEsaConfig
from contraview.systems.dna_esa.index import Embed, FragmentIndex

INDELS = 16
"""Bases beyond its own length that a read with gaps may reach over the reference."""
BEST_MAPQ = 60
Bases = UInt8[np.ndarray, " _"]


@dataclass(frozen=True)
class Placing:
    """Places reads on the reference of an index."""

    config: DnaEsaConfig
    index: FragmentIndex
    embed: Embed

    def __call__(self, reads: Sequences) -> pl.DataFrame:
        """One row of SAM columns a read."""
        strands = [[reads[i] for i in range(len(reads))]]
        if self.config.strands == "both":
            strands.append([reverse_complement(letters) for letters in strands[0]])
        found = [self._candidates([numbers(each) for each in strand]) for strand in strands]
        rows = []
        for i in range(len(reads)):
            # Each row: score, strand, candidate; the best first, the forward strand on a tie.
            ranked = sorted(
                (
                    (-float(score), strand, int(fragment))
                    for strand, (score_of, fragment_of) in enumerate(found)
                    for score, fragment in zip(score_of[i], fragment_of[i], strict=True)
                ),
            )
            rows.append(self._record(reads, i, [strand[i] for strand in strands], ranked))
        return pl.DataFrame(rows, sam.COLUMNS, orient="row")

    def _margin(self, read: Bases) -> int:
        # A read across the end of two fragments has at most `overlap` bases beyond one of them
        # that are in both; so far the window has to reach for it to lie within one.
        return max(len(read) - self.config.overlap, 0) + INDELS

    def _candidates(
        self, reads: list[Bases]
    ) -> tuple[Float32[np.ndarray, "n k"], Int64[np.ndarray, "n k"]]:
        """Alignment scores and numbers of the nearest fragments of each read."""
        k = min(self.config.candidates, len(self.index))
        _, fragments = self.index.nearest(self.embed(reads), k)
        pairs = [
            (read, self.index.window(int(fragment), self._margin(read))[1])
            for read, row in zip(reads, fragments, strict=True)
            for fragment in row
        ]
        found = scores([read for read, _ in pairs], [window for _, window in pairs], self._scoring)
        return found.reshape(fragments.shape), fragments

    @property
    def _scoring(self) -> Scoring:
        config = self.config
        return Scoring(
            match=config.match,
            mismatch=config.mismatch,
            gap_open=config.gap_open,
            gap_extend=config.gap_extend,
        )

    def _record(
        self,
        reads: Sequences,
        number: int,
        strands: list[UInt8[np.ndarray, " _"]],
        ranked: list[tuple[float, int, int]],
    ) -> tuple[object, ...]:
        name, length = reads.names[number], len(strands[0])
        quality = "*"
        if reads.quality is not None:
            first, last = reads.ends[number], reads.ends[number + 1]
            quality = reads.quality[first:last].tobytes().decode()
        perfect = self.config.match * length
        score, strand, fragment = ranked[0]
        if -score < self.config.accept * perfect:
            letters = strands[0].tobytes().decode()
            return (name, sam.UNMAPPED, "*", 0, 0, "*", "*", 0, 0, letters, quality, 0.0, 0)
        placed, start = self._aligned(strands[strand], fragment)
        owner = int(self.index.fragments.owners[fragment])
        second = self._second(ranked, strands, (strand, owner, start))
        mapq = round(BEST_MAPQ * (1 - second / placed.score))
        letters = strands[strand].tobytes().decode()
        return (
            name,
            sam.REVERSE if strand else 0,
            self.index.reference.names[owner],
            start + 1,
            mapq,
            placed.cigar,
            "*",
            0,
            0,
            letters,
            quality[::-1] if strand else quality,
            placed.score,
            placed.distance,
        )

    def _aligned(self, letters: UInt8[np.ndarray, " n"], fragment: int) -> tuple[Alignment, int]:
        read = numbers(letters)
        place, window = self.index.window(fragment, self._margin(read))
        placed = align(read, window, self._scoring)
        return placed, place + placed.start

    def _second(
        self,
        ranked: list[tuple[float, int, int]],
        strands: list[UInt8[np.ndarray, " _"]],
        best: tuple[int, int, int],
    ) -> float:
        """The best score of another place; 0 where all candidates lead to the same one."""
        for score, strand, fragment in ranked[1:]:
            owner, there = int(self.index.fragments.owners[fragment]), best[2]
            if (strand, owner) != best[:2]:
                return -score
            _, start = self._aligned(strands[strand], fragment)
            if abs(start - there) > INDELS:
                return -score
        return 0.0
