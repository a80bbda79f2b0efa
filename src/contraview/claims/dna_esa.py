"""Does contrast of fragments and reads teach an encoder where a read is from?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64, UInt8

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.retrieval import recall_at
from contraview.index.exact import nearest
from contraview.modalities.datasets import dataset, find
from contraview.modalities.sequences.crops import Fragments, cut, substituted
from contraview.modalities.sequences.data import Sequences, read_sequences
from contraview.modalities.sequences.letters import BASES
from contraview.systems.dna_esa import DnaEsa
from contraview.systems.dna_esa.siblings import MaskedTokens, kmer_histograms

K, READ, ERRORS = 50, 250, 0.01
COVERED = 0.8
"""A fragment is right for a read if it holds so much of it: with 200 bases shared by neighbours,
every read of 250 has one such fragment, some have two."""
STRICT = 2
ALLOWED = 0.10
"""What recall may lose on a half of the genome that was not trained on."""

RECALL = f"recall@{K}, 5,800 fragments"
HALVES = f"recall@{K} within half a genome"
OTHER = f"recall@{K}, reads of another species"
PLACED = "reads placed within 2 bases"
METHOD = "trained by fragment-read contrast"
MASKED, UNTRAINED = "trained by masked tokens", "untrained encoder"
CENTRED = "untrained encoder, mean taken off"
HISTOGRAM = "6-mer histogram, both strands"
UNSEEN, SEEN = "half that it was not trained on", "half that it was trained on, less 0.10"

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {"bases": None, "reads": 1000, "aligned": 24, "steps": 300},
    "smoke": {
        "bases": 60_000,
        "reads": 20,
        "aligned": 4,
        "width": 16,
        "heads": 2,
        "hidden": 32,
        "steps": 3,
        "batch": 8,
        "candidates": 5,
    },
}

Bases = list[UInt8[np.ndarray, " _"]]
Vectors = Float32[np.ndarray, "_ d"]


@dataclass(frozen=True)
class Half:
    """One half of a genome: its fragments, and reads with errors drawn from it."""

    genome: Sequences
    fragments: Fragments
    pieces: Bases
    places: Int64[np.ndarray, " n"]
    reads: Bases

    @classmethod
    def of(cls, genome: Sequences, fragment: int, overlap: int, reads: int, seed: int) -> "Half":
        """Cut fragments; draw reads uniformly, with 1 % of their bases replaced."""
        generator = numpy_generator(seed, "reads", genome.names[0])
        fragments = Fragments.of(genome, fragment, overlap)
        places = generator.integers(0, int(genome.ends[-1]) - READ + 1, reads)
        drawn = cut(genome.bases, places, np.full(reads, READ))
        pieces = cut(genome.bases, fragments.starts, fragments.lengths)
        return cls(genome, fragments, pieces, places, substituted(drawn, ERRORS, generator))

    @property
    def right(self) -> Bool[np.ndarray, "n f"]:
        """Which of the half's fragments are right for each read."""
        return self.fragments.cover(self.places, READ, COVERED)


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Train on the first half of the genome alone; search reads of both halves among all of it."""
    knobs = dict(settings)
    bases, reads, aligned = (knobs.pop(name) for name in ("bases", "reads", "aligned"))
    genome = read_sequences(dataset("ecoli")[0])
    total = min(bases or len(genome.letters), len(genome.letters))
    systems = {
        METHOD: DnaEsa(**knobs),
        MASKED: MaskedTokens(**knobs),
        UNTRAINED: DnaEsa(**knobs | {"steps": 0}),
    }
    config = systems[METHOD].config
    middle = total // 2
    halves = [
        Half.of(_part(genome, *part), config.fragment, config.overlap, reads // 2, run.seed)
        for part in (("first", 0, middle), ("second", middle, total))
    ]
    phage = Half.of(
        read_sequences(dataset("lambda_phage")[0]),
        config.fragment,
        config.overlap,
        reads // 4,
        run.seed,
    )
    sets = (*halves, phage)
    vectors: dict[str, list[Vectors]] = {}
    for arm, system in systems.items():
        system.fit(halves[0].genome, run=run)
        vectors[arm] = [each for one in sets for each in _embedded(system, one)]
    vectors[CENTRED] = _centred(vectors[UNTRAINED])
    vectors[HISTOGRAM] = [kmer_histograms(each) for one in sets for each in (one.pieces, one.reads)]
    first, second = halves
    unseen, seen = (
        _recall(vectors[METHOD][at], vectors[METHOD][at + 1], half.right)
        for at, half in ((2, second), (0, first))
    )
    return {
        RECALL: {arm: _overall(found, halves) for arm, found in vectors.items()},
        HALVES: {UNSEEN: unseen, SEEN: seen - ALLOWED},
        OTHER: {arm: _abroad(found, phage) for arm, found in vectors.items()},
        PLACED: {
            METHOD: _placed(systems[METHOD], first, aligned),
            UNTRAINED: _placed(systems[UNTRAINED], first, aligned),
        },
    }


def _part(genome: Sequences, name: str, start: int, end: int) -> Sequences:
    return Sequences(
        genome.source, (name,), genome.letters[start:end], np.array([0, end - start], np.int64)
    )


def _embedded(system: DnaEsa, half: Half) -> list[Vectors]:
    """Vectors of the fragments and of the reads; the index of the system has some already."""
    indexed = system.index.reference is half.genome
    kept = system.index.vectors
    fragments = kept if indexed and isinstance(kept, np.ndarray) else None
    if fragments is None:
        fragments = system.embed_bases(half.pieces)
    return [fragments, system.embed_bases(half.reads)]


def _centred(vectors: list[Vectors]) -> list[Vectors]:
    """Off the fragments their mean, off the reads theirs, as the genome's vectors give them."""
    fragments, reads = (np.concatenate([vectors[i], vectors[i + 2]]).mean(0) for i in (0, 1))
    return [each - (reads if i % 2 else fragments) for i, each in enumerate(vectors)]


def _recall(fragments: Vectors, reads: Vectors, right: Bool[np.ndarray, "n f"]) -> float:
    k = min(K, len(fragments))
    _, found = nearest(torch.from_numpy(fragments), torch.from_numpy(reads), k, metric="cosine")
    return recall_at(np.take_along_axis(right, found.numpy(), axis=1), k)


def _overall(vectors: list[Vectors], halves: list[Half]) -> float:
    """Recall of the reads of both halves among the fragments of both."""
    first, second = (half.right for half in halves)
    right = np.block(
        [
            [first, np.zeros((len(first), second.shape[1]), bool)],
            [np.zeros((len(second), first.shape[1]), bool), second],
        ]
    )
    fragments, reads = (np.concatenate([vectors[i], vectors[i + 2]]) for i in (0, 1))
    return _recall(fragments, reads, right)


def _abroad(vectors: list[Vectors], phage: Half) -> float:
    """Recall of the phage's reads among its fragments and all of the genome's."""
    fragments = np.concatenate([vectors[4], vectors[0], vectors[2]])
    others = len(fragments) - len(vectors[4])
    right = np.pad(phage.right, ((0, 0), (0, others)))
    return _recall(fragments, vectors[5], right)


def _placed(system: DnaEsa, half: Half, count: int) -> float:
    """Share of reads whose first base is placed within two bases of the truth."""
    letters = np.frombuffer(BASES, np.uint8)
    strings = [letters[read].tobytes().decode() for read in half.reads[:count]]
    placed = system.align(strings)
    clipped = placed["cigar"].str.extract(r"^(\d+)S").cast(pl.Int64).fill_null(0)
    start = (placed["pos"] - 1 - clipped).to_numpy()
    near = np.abs(start - half.places[:count]) <= STRICT
    return float((near & (placed["flag"] == 0).to_numpy()).mean())


def _data() -> list[Data]:
    return [
        Data(
            name=name,
            real=find(name).real,
            fingerprint=read_sequences(dataset(name)[0]).fingerprint(),
        )
        for name in ("ecoli", "lambda_phage")
    ]


def _claims() -> tuple[Claim, ...]:
    experiment = Experiment("dna_esa", _data, measure, PRESETS, first_seed=100)
    teaches = "contrast of fragments and reads teaches an encoder where a read is from"
    genome = ("ecoli",)
    return (
        Claim("untrained", teaches, experiment, RECALL, METHOD, UNTRAINED, 0.2, data=genome),
        Claim("masked", teaches, experiment, RECALL, METHOD, MASKED, 0.2, data=genome),
        Claim(
            "transfer",
            "on a half of the genome that it never saw, recall falls by less than .10",
            experiment,
            HALVES,
            UNSEEN,
            SEEN,
            0.001,
            data=genome,
        ),
        Claim(
            "species",
            "trained on half of a bacterium, it finds the reads of a phage among both",
            experiment,
            OTHER,
            METHOD,
            UNTRAINED,
            0.2,
        ),
        Claim(
            "placed",
            "aligned to the fragments found, more reads come to lie where they were cut from",
            experiment,
            PLACED,
            METHOD,
            UNTRAINED,
            0.2,
            data=genome,
        ),
    )


CLAIMS = _claims()
