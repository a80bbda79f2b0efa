"""Strings to token numbers: WordPiece as BERT has it, with a vocabulary learnt from the lines."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from torch import Tensor

from contraview.core.errors import InputError

SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Their numbers are their places here; ordinary pieces follow."""
UNKNOWN, START, END, MASK = 1, 2, 3, 4
FIRST: Final = len(SPECIAL)
COLUMN: Final = "piece"
BEGINNING, WITHIN = "\u2581", "##"
"""Marks of a word's beginning while pieces are learnt, and of a piece within a word in the end."""


class Pieces:
    """Splits strings into word pieces: lower case, accents off, words and marks apart.

    ``[MASK]`` within a string is the mask token. What the vocabulary cannot spell is ``[UNK]``.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Take up a vocabulary: the special pieces, then the ordinary ones."""
        if tuple(vocabulary[:FIRST]) != SPECIAL or len(set(vocabulary)) != len(vocabulary):
            raise InputError(f"vocabulary: expected {' '.join(SPECIAL)} first and no piece twice")
        self.vocabulary = tuple(vocabulary)
        numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._tokenizer = _tokenizer(WordPiece(numbers, unk_token=SPECIAL[UNKNOWN]))
        ends = [(SPECIAL[START], START), (SPECIAL[END], END)]
        self._tokenizer.post_processor = TemplateProcessing(
            single=f"{SPECIAL[START]} $A {SPECIAL[END]}", special_tokens=ends
        )

    @classmethod
    def learn(cls, strings: Sequence[str], size: int) -> "Pieces":
        """At most ``size`` pieces, special ones included, learnt from ``strings``.

        Pairs of pieces that often stand side by side within a word are joined, the most frequent
        first (byte-pair encoding), each once as the beginning of a word and once within. The
        library's own WordPiece trainer numbers its pieces by the order of a hash table, so that
        the same lines give another vocabulary in another process; this way they do not.

        The alphabet takes a quarter of the pieces at most: rarer characters are unknown.
        """
        alphabet = _alphabet(strings, max(size // 4, 1))
        trainer = BpeTrainer(
            vocab_size=max(size - FIRST - len(alphabet) + 1, 0),
            initial_alphabet=[*alphabet, BEGINNING],
            limit_alphabet=len(alphabet) + 1,
            show_progress=False,
        )
        tokenizer = Tokenizer(BPE())
        tokenizer.normalizer = BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = PreTokenizers(
            [BertPreTokenizer(), Metaspace(replacement=BEGINNING, prepend_scheme="always")]
        )
        tokenizer.train_from_iterator(strings, trainer)
        numbers = tokenizer.get_vocab()
        joined = [piece for piece in sorted(numbers, key=numbers.__getitem__) if len(piece) > 1]
        letters = [form for each in alphabet for form in (each, WITHIN + each)]
        words = [piece[1:] if piece.startswith(BEGINNING) else WITHIN + piece for piece in joined]
        return cls(list(dict.fromkeys([*SPECIAL, *letters, *words])))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(
        self, strings: Sequence[str], length: int, *, fill: bool = False
    ) -> Int64[Tensor, "n t"]:
        """One row of token numbers a string, ``[CLS]`` first, ``[SEP]`` last, 0 after it.

        Args:
            strings: what to split.
            length: the most tokens a row can have; longer strings are cut at their end.
            fill: rows of exactly ``length``, rather than of the longest string here.
        """
        self._tokenizer.enable_truncation(length)
        encoded = self._tokenizer.encode_batch(list(strings))
        width = length if fill else max((len(each) for each in encoded), default=1)
        rows = np.zeros((len(encoded), width), np.int64)
        for row, each in zip(rows, encoded, strict=True):
            row[: len(each)] = each.ids
        return torch.from_numpy(rows)

    def described(self, length: int) -> dict[str, Any]:
        """The tokeniser as the library `tokenizers` reads it, for rows of at most ``length``."""
        self._tokenizer.enable_truncation(length)
        return json.loads(self._tokenizer.to_str())

    def table(self) -> pl.DataFrame:
        """The vocabulary as it is stored: one piece a row, in order of their numbers."""
        return pl.DataFrame({COLUMN: self.vocabulary})


def _tokenizer(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(each, special=True) for each in SPECIAL])
    return tokenizer


def _alphabet(strings: Sequence[str], most: int) -> list[str]:
    """The most frequent characters, without blanks; in order of the characters."""
    normalizer = BertNormalizer(lowercase=True)
    counts: Counter[str] = Counter()
    for each in strings:
        counts.update(normalizer.normalize_str(each))
    known = [c for c in counts if not c.isspace() and c != BEGINNING]
    return sorted(sorted(known, key=lambda c: (-counts[c], c))[:most])
