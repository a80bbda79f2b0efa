"""The fragments of a reference and their vectors: what a read is searched among."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float32, Int64, UInt8

from contraview.core.learnt import Learnt, array, demand, texts
from contraview.index.exact import nearest
from contraview.index.lance import LanceStore
from contraview.modalities.sequences.crops import Fragments, cut
from contraview.modalities.sequences.data import Sequences

Embed = Callable[[list[UInt8[np.ndarray, " _"]]], Float32[np.ndarray, "n d"]]


@dataclass(frozen=True)
class FragmentIndex:
    """A reference in overlapping fragments, each with its vector.

    Attributes:
        reference: the sequences.
        fragments: where each fragment lies.
        vectors: one a fragment, unit length; or the store on disk that holds them.
    """

    reference: Sequences
    fragments: Fragments
    vectors: Float32[np.ndarray, "n d"] | LanceStore

    @classmethod
    def build(
        cls, reference: Sequences, length: int, overlap: int, embed: Embed, store: str | None
    ) -> "FragmentIndex":
        """Cut, embed, keep; with ``store`` the vectors go to that folder."""
        disk = None if store is None else LanceStore(store)
        fragments = Fragments.of(reference, length, overlap)
        vectors = embed(cut(reference.bases, fragments.starts, fragments.lengths))
        if disk is None:
            return cls(reference, fragments, vectors)
        disk.write(vectors, _mark(reference, vectors))
        return cls(reference, fragments, disk)

    def __len__(self) -> int:
        return len(self.fragments)

    def nearest(
        self, queries: Float[np.ndarray, "m d"], k: int
    ) -> tuple[Float32[np.ndarray, "m k"], Int64[np.ndarray, "m k"]]:
        """The cosine and the number of the ``k`` most similar fragments, most similar first."""
        if isinstance(self.vectors, LanceStore):
            apart, found = self.vectors.nearest(queries, k)
        else:
            bank = torch.from_numpy(self.vectors)
            far, numbers = nearest(bank, torch.from_numpy(queries), k, metric="cosine")
            apart, found = far.numpy(), numbers.numpy()
        return 1 - apart, found

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row a fragment: its sequence, and its first and last base counted from 1."""
        fragments, reference = self.fragments, self.reference
        start = fragments.starts - reference.ends[fragments.owners]
        names = np.array(reference.names, dtype=np.str_)[fragments.owners]
        return pl.DataFrame(
            {"reference": names, "first": start + 1, "last": start + fragments.lengths}
        )

    def window(self, fragment: int, margin: int) -> tuple[int, UInt8[np.ndarray, " _"]]:
        """A fragment and ``margin`` bases on both sides: its place in its sequence, its bases."""
        owner = self.fragments.owners[fragment]
        begin, end = self.reference.ends[owner], self.reference.ends[owner + 1]
        start = self.fragments.starts[fragment]
        first = max(int(start) - margin, int(begin))
        last = min(int(start + self.fragments.lengths[fragment]) + margin, int(end))
        return first - int(begin), self.reference.bases[first:last]

    def learnt(self) -> Learnt:
        """The reference, and the vectors where no store on disk holds them."""
        arrays = {"letters": self.reference.letters, "ends": self.reference.ends}
        names = pl.DataFrame({"name": list(self.reference.names)})
        facts = {"source": self.reference.source, "mark": None}
        if isinstance(self.vectors, LanceStore):
            facts["mark"] = self.vectors.mark()
        else:
            arrays["vectors"] = self.vectors
        return Learnt(arrays, {"references": names}, facts)

    @classmethod
    def restore(
        cls, learnt: Learnt, length: int, overlap: int, store: str | None
    ) -> "FragmentIndex":
        """What `learnt` described; the store on disk has to hold the same vectors still."""
        letters, ends = (
            array(learnt.arrays, "letters", 1, "u"),
            array(learnt.arrays, "ends", 1, "i"),
        )
        names = texts(learnt.tables["references"]["name"].to_list(), "references")
        demand(
            letters.dtype == np.uint8
            and len(ends) == len(names) + 1 > 1
            and ends[0] == 0
            and ends[-1] == len(letters)
            and (np.diff(ends) > 0).all(),
            "sequences that do not lie in their letters",
        )
        reference = Sequences(str(learnt.facts["source"]), names, letters, ends)
        fragments = Fragments.of(reference, length, overlap)
        if store is None:
            vectors = array(learnt.arrays, "vectors", 2)
            demand(len(vectors) == len(fragments.starts), "vectors of other fragments")
            return cls(reference, fragments, vectors)
        disk = LanceStore(store)
        disk.need(learnt.facts["mark"])
        return cls(reference, fragments, disk)


def _mark(reference: Sequences, vectors: Float32[np.ndarray, "n d"]) -> str:
    return hashlib.sha256(reference.fingerprint().encode() + vectors.tobytes()).hexdigest()
