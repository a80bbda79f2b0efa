"""Embed-Search-Align (Holur and others 2023, arXiv 2309.11087)."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float32, Int, Int64, UInt8
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.frameworks.token_graph import token_graph
from contraview.frameworks.two_view import two_view
from contraview.modalities.sequences import sam
from contraview.modalities.sequences.crops import CropInCrop, cut, substituted
from contraview.modalities.sequences.data import Sequences, SequenceSource, read_sequences
from contraview.modalities.sequences.tokens import BytePairs, Kmers, Tokens
from contraview.networks.fresh import fresh
from contraview.networks.tokens import PooledTokens, TokenEncoder
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit
from contraview.systems.dna_esa.config import PRESETS, DnaEsaConfig
from contraview.systems.dna_esa.index import FragmentIndex
from contraview.systems.dna_esa.placing import Placing
from contraview.training.loop import train
from contraview.training.samplers import bootstrap
from contraview.training.schedule import Schedule

EMBEDDED = 64
"""Sequences embedded at a time: a thousand bases each take some memory."""
READS = 256
"""Reads placed at a time."""


class DnaEsa(System):
    """Places sequencing reads on a genome by nearest-neighbour search over embeddings.

    An encoder learns to tell, among the reads of a batch, which one was cut out of a fragment
    (one-way InfoNCE, no labels: places come from sampling). The reference is cut into overlapping
    fragments whose vectors are kept; a read's nearest fragments are the candidates that a local
    alignment with affine gaps then verifies, base by base. The encoder is not tied to its
    reference: it may search another genome (``reference=``).

    Differs from the official code (github.com/KennethEnevoldsen/dna2vec): all pairs of a step are
    contrasted, where accumulation there leaves 15 negatives; candidates are the nearest of the
    whole reference, not so many of each chromosome; the alignment may reach beyond a fragment's
    ends; headers and line breaks never enter the text; the last weights are kept, not the ones of
    the lowest training loss; vectors stay in the model or in a store on this machine.

    Verbs: `embed`, `search`, `align`.
    """

    slug = "dna_esa"
    Config = DnaEsaConfig
    Source = SequenceSource
    presets: ClassVar = PRESETS

    tokens: Tokens
    encoder: PooledTokens
    index: FragmentIndex

    def fit(self, data: Any, /, *, run: Run | None = None) -> "DnaEsa":
        """Train on crops of a reference, then index its fragments.

        Args:
            data: the reference: FASTA, strings, or `Sequences`.
            run: seed, folder and progress.

        Raises:
            InputError: no sequences, one shorter than the shortest training read, or two of the
                same name.
        """
        run = run or Run()
        reference = _reference(read_sequences(data))
        self._facts = {
            "sequences": len(reference),
            "bases": int(reference.ends[-1]),
            "fingerprint": reference.fingerprint(),
        }
        run.log("data", **self._facts)
        config = self.config
        self.tokens = (
            Kmers(config.k, config.stride)
            if config.tokens == "kmer"
            else BytePairs.learn(reference.bases, config.vocabulary)
        )
        self.encoder = self._fresh(run.seed)
        if config.steps:
            self._train(reference, run)
        self.index = self._indexed(reference, config.store)
        return self

    def _fresh(self, seed: int) -> PooledTokens:
        config = self.config

        def make() -> PooledTokens:
            encoder = TokenEncoder(
                len(self.tokens),
                length=self.tokens.most(config.longest),
                width=config.width,
                depth=config.depth,
                heads=config.heads,
                hidden=config.hidden,
                dropout=config.dropout,
                positions="sinusoidal",
                place=config.place,
            )
            return PooledTokens(encoder, "mean")

        return fresh(make, seed, "encoder")

    def _train(self, reference: Sequences, run: Run) -> None:
        config = self.config
        crops = CropInCrop(reference, config.train_fragments, config.train_reads)
        train(
            self.encoder,
            two_view(
                partial(self._views, crops),
                partial(fragment_to_read, T=config.temperature),
                config.chunk,
            ),
            bootstrap(int(reference.ends[-1]), config.batch, run.seed),
            self.schedule,
            run=run,
            name="contrast",
            settings=config.model_dump(mode="json") | self._facts,
        )

    @property
    def schedule(self) -> Schedule:
        """Steps and learning rates, as the official one-cycle: a rise, then a half cosine."""
        config = self.config
        return Schedule(
            steps=config.steps,
            batch=config.batch,
            lr=config.lr,
            warmup=config.warmup,
            start_lr=config.lr / 25,
            weight_decay=config.weight_decay,
            clip=config.clip,
        )

    def _views(
        self, crops: CropInCrop, places: Int[Tensor, " b"], generator: torch.Generator
    ) -> tuple[Int64[Tensor, "b s"], Int64[Tensor, "b t"]]:
        """The tokens of fragments that begin at these places, and of a read within each."""
        drawn, bases = crops(places, generator), crops.reference.bases
        reads = cut(bases, drawn.read, drawn.read_length)
        if self.config.noise:
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
            reads = substituted(reads, self.config.noise, np.random.default_rng(seed))
        fragments = cut(bases, drawn.fragment, drawn.fragment_length)
        device = generator.device
        return self.tokens.encode(fragments).to(device), self.tokens.encode(reads).to(device)

    def _indexed(self, reference: Sequences, store: str | None) -> FragmentIndex:
        config = self.config
        return FragmentIndex.build(
            reference, config.fragment, config.overlap, self.embed_bases, store
        )

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "index")

    def embed(self, data: Any, /) -> Float[np.ndarray, "n d"]:
        """The vector of each sequence, of unit length; compare by cosine.

        Raises:
            InputError: a sequence is longer than the encoder reads (the longest training fragment).
        """
        self.need_fit()
        sequences = self.read(data)
        return self.embed_bases(self._bases(sequences))

    @torch.inference_mode()
    def embed_bases(self, sequences: list[UInt8[np.ndarray, " _"]]) -> Float32[np.ndarray, "n d"]:
        """`embed`, for bases that are numbers already (0 to 3, 4 unknown)."""
        self.encoder.eval()
        device = next(self.encoder.parameters()).device
        vectors = [np.empty((0, self.config.width), np.float32)]
        for start in range(0, len(sequences), EMBEDDED):
            rows = self.tokens.encode(sequences[start : start + EMBEDDED])
            vectors.append(unit(self.encoder(rows.to(device))).cpu().numpy())
        return np.concatenate(vectors)

    def _bases(self, sequences: Sequences) -> list[UInt8[np.ndarray, " _"]]:
        longest = int(sequences.lengths.max(initial=0))
        if longest > self.config.longest:
            name = sequences.names[int(sequences.lengths.argmax())]
            raise InputError(
                f"{sequences.source}: sequence {name!r} has {longest} bases; the model reads at "
                f"most {self.config.longest}"
            )
        return cut(sequences.bases, sequences.ends[:-1], sequences.lengths)

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """For each read the ``k`` fragments with the highest cosine, best first.

        Args:
            queries: reads.
            among: sequences to search, each as a whole; None: the fragments of the reference, as
                `kept` lists them.
            k: fragments a read.
        """
        self.need_fit()
        asked = self.embed(queries)
        index = self.index
        if among is not None:
            sequences = self.read(among)
            self._bases(sequences)
            # As long as the longest of them: each is one fragment.
            index = FragmentIndex.build(
                sequences, int(sequences.lengths.max()), 0, self.embed_bases, None
            )
        cosine, found = index.nearest(asked, k)
        return found, cosine

    def kept(self) -> pl.DataFrame:
        """The fragments that `search` searches when it is not told among what, one a row."""
        self.need_fit()
        return self.index.table

    def align(self, data: Any, /, *, reference: Any = None) -> pl.DataFrame:
        """Where each read lies: one row a read in order, the columns of a SAM record.

        ``pos`` counts from 1. A read that fits nowhere has flag 4. With ``strands="both"`` a read
        on the other strand has flag 16 and is written as that strand, as SAM asks. ``mapq`` is 60
        times the share of the score by which the place is better than the second best.

        Args:
            data: reads, FASTA or FASTQ.
            reference: a genome other than the one that the model was fitted on.
        """
        self.need_fit()
        index = self.index
        if reference is not None:
            index = self._indexed(_reference(read_sequences(reference)), None)
        placing = Placing(self.config, index, self.embed_bases)
        reads = self.read(data)
        self._bases(reads)
        parts = [
            placing(reads.take(range(start, min(start + READS, len(reads)))))
            for start in range(0, len(reads), READS)
        ]
        return pl.concat(parts)

    def references(self, reference: Any = None) -> str:
        """The header of a SAM file with this reference."""
        self.need_fit()
        chosen = (
            self.index.reference if reference is None else _reference(read_sequences(reference))
        )
        return sam.header(list(chosen.names), chosen.lengths.tolist())

    def graph(self) -> Graph:
        """Token numbers in, `embed` out; the metadata says how bases become tokens."""
        self.need_fit()
        return token_graph(
            self.encoder,
            self.tokens.most(self.config.longest),
            lambda data: self.tokens.encode(self._bases(self.read(data))),
            self._held,
            {"tokens": self.tokens.described()},
            to_unit=True,
        )

    def _held(self, count: int, seed: int) -> Sequences:
        """Bases in no order, some unknown."""
        draw = numpy_generator(seed, "held sequences")
        lengths = draw.integers(1, self.config.longest + 1, min(count, 200))
        return read_sequences(["".join(draw.choice(list("ACGTACGTACGTN"), n)) for n in lengths])

    def learnt(self) -> Learnt:
        """Tokens, weights, the reference and, without a store on disk, its vectors."""
        learnt = Learnt.joined(
            {
                "tokens": self.tokens.learnt(),
                "encoder": Learnt(weights_of(self.encoder)),
                "index": self.index.learnt(),
            }
        )
        learnt.facts |= {"data": self._facts}
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        config = self.config
        self.tokens = (
            Kmers(config.k, config.stride)
            if config.tokens == "kmer"
            else BytePairs.restore(learnt.part("tokens"))
        )
        self.encoder = self._fresh(0)
        set_weights(self.encoder, learnt.part("encoder").arrays)
        self.index = FragmentIndex.restore(
            learnt.part("index"), config.fragment, config.overlap, config.store
        )
        self._facts = learnt.facts["data"]


def fragment_to_read(
    fragments: Float[Tensor, "b d"], reads: Float[Tensor, "b d"], T: float
) -> Float[Tensor, ""]:
    """Which of the reads was cut out of each fragment; rows only, not the other way round.

    The mean over fragments i of ``-log(exp(cos(x1_i, x2_i) / T) / Σ_j exp(cos(x1_i, x2_j) / T))``:
    the paper's loss, fragments x1 and reads x2.
    """
    return info_nce(unit(fragments), unit(reads), scale=1 / T)


def _reference(sequences: Sequences) -> Sequences:
    if len(set(sequences.names)) < len(sequences):
        names = list(sequences.names)
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{sequences.source}: two sequences are called {twice!r}; expected one")
    return sequences
