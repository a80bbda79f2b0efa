"""DNA to token numbers: overlapping k-mers, or byte pairs learnt from a reference.

Number 0 is padding, 1 the mask, 2 what holds an unknown base; ordinary tokens follow.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64, UInt8
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from torch import Tensor

from contraview.core.learnt import Learnt
from contraview.modalities.sequences.letters import BASES, UNKNOWN

MASK, ODD, FIRST = 1, 2, 3
CHUNK: Final = 1000
"""Bases that are joined to tokens at a time while byte pairs are learnt."""


class Tokens(Protocol):
    """Turns bases into rows of token numbers."""

    def __len__(self) -> int:
        """How many tokens there are, special ones included."""
        ...

    def encode(self, sequences: Sequence[UInt8[np.ndarray, " _"]]) -> Int64[Tensor, "n t"]:
        """One row a sequence of bases (0 to 3, 4 unknown), padded with 0."""
        ...

    def most(self, bases: int) -> int:
        """The most tokens that so many bases can give."""
        ...

    def described(self) -> dict[str, Any]:
        """What somebody without this library needs to encode as this does."""
        ...

    def learnt(self) -> Learnt:
        """What was learnt from the reference, if anything."""
        ...


class Kmers:
    """Every k-mer at every ``stride`` bases; nothing is learnt.

    With a stride above 1 a read and its fragment share k-mers only where the read begins at a
    multiple of the stride within the fragment: what the encoder has to overcome.
    """

    def __init__(self, k: int, stride: int) -> None:
        self.k, self.stride = k, stride

    def __len__(self) -> int:
        return FIRST + 4**self.k

    def most(self, bases: int) -> int:
        """The most tokens that so many bases can give."""
        return max((bases - self.k) // self.stride + 1, 1)

    def encode(self, sequences: Sequence[UInt8[np.ndarray, " _"]]) -> Int64[Tensor, "n t"]:
        """One row a sequence; one shorter than k is one unknown token."""
        longest = max((len(each) for each in sequences), default=0)
        counts = np.array([self.most(len(each)) for each in sequences], np.int64)
        rows = np.full((len(sequences), max(longest, self.k)), UNKNOWN, np.uint8)
        for row, each in zip(rows, sequences, strict=True):
            row[: len(each)] = each
        windows = np.lib.stride_tricks.sliding_window_view(rows, self.k, axis=1)
        windows = windows[:, :: self.stride]
        codes = windows @ (4 ** np.arange(self.k - 1, -1, -1)) + FIRST
        codes[(windows == UNKNOWN).any(2)] = ODD
        codes[np.arange(codes.shape[1]) >= counts[:, None]] = 0
        return torch.from_numpy(codes)

    def described(self) -> dict[str, Any]:
        """k, stride, and the letters that are the digits of a k-mer's number, plus ``first``."""
        told = {"k": self.k, "stride": self.stride, "letters": BASES.decode()}
        return told | {"first": FIRST, "unknown": ODD}

    def learnt(self) -> Learnt:
        """Nothing."""
        return Learnt()


class BytePairs:
    """Byte-pair encoding of DNA: the pairs that stand side by side most often are joined."""

    def __init__(self, pieces: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        self.pieces, self.merges = tuple(pieces), tuple(merges)
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        odd = self.pieces[ODD]
        self._tokenizer = Tokenizer(BPE(numbers, list(self.merges), unk_token=odd, fuse_unk=True))

    @classmethod
    def learn(cls, bases: UInt8[np.ndarray, " n"], size: int) -> "BytePairs":
        """``size`` tokens, special ones included, from a reference."""
        text = _text(bases)
        chunks = [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]
        letters = [chr(base) for base in BASES]
        trainer = BpeTrainer(
            vocab_size=size - FIRST,
            initial_alphabet=letters,
            limit_alphabet=len(letters),
            show_progress=False,
        )
        tokenizer = Tokenizer(BPE())
        tokenizer.train_from_iterator(chunks, trainer)
        model = json.loads(tokenizer.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        merges = [tuple(merge) for merge in model["merges"]]
        return cls(["[PAD]", "[MASK]", "[N]", *pieces], merges)

    def __len__(self) -> int:
        return len(self.pieces)

    def most(self, bases: int) -> int:
        """The most tokens that so many bases can give: one each."""
        return bases

    def encode(self, sequences: Sequence[UInt8[np.ndarray, " _"]]) -> Int64[Tensor, "n t"]:
        """One row a sequence; a run of unknown bases is one token."""
        encoded = self._tokenizer.encode_batch([_text(each) for each in sequences])
        width = max((len(each) for each in encoded), default=1)
        rows = np.zeros((len(encoded), width), np.int64)
        for row, each in zip(rows, encoded, strict=True):
            row[: len(each)] = each.ids
        return torch.from_numpy(rows)

    def described(self) -> dict[str, Any]:
        """The tokeniser as the library `tokenizers` reads it; letters other than ACGT are N."""
        return json.loads(self._tokenizer.to_str())

    def learnt(self) -> Learnt:
        """The pieces in order of their numbers, and the pairs in the order they are joined."""
        pairs = pl.DataFrame(list(self.merges), ["left", "right"], orient="row")
        return Learnt(tables={"pieces": pl.DataFrame({"piece": self.pieces}), "merges": pairs})

    @classmethod
    def restore(cls, learnt: Learnt) -> "BytePairs":
        """What `learnt` described."""
        merges = learnt.tables["merges"].rows()
        return cls(learnt.tables["pieces"]["piece"].to_list(), merges)


_LETTERS: Final = np.frombuffer(BASES + b"N", np.uint8)


def _text(bases: UInt8[np.ndarray, " n"]) -> str:
    return _LETTERS[bases].tobytes().decode()
