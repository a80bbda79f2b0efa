"""Pairs of strings with how similar people find them, as the known sets write them."""

from pathlib import Path
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.text.data import Texts

SCORE: Final = "similarity"


def read_stsb(path: Path) -> Texts:
    """A part of the STS benchmark: tab separated without quoting, score 0 to 5 in column 5."""
    return _pairs(path, columns=(5, 6, 4))


def read_word_pairs(path: Path) -> Texts:
    """WordSim-353 and its kin: word, word, score; lines with ``#`` are comments."""
    return _pairs(path, columns=(0, 1, 2))


def _pairs(path: Path, columns: tuple[int, int, int]) -> Texts:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        cells = line.split("\t")
        try:
            first, second, score = (cells[column].strip() for column in columns)
            rows.append((first, second, float(score)))
        except (IndexError, ValueError):
            raise InputError(f"{path}: line {number}: expected two texts and a number") from None
    schema = {"first": pl.String, "second": pl.String, SCORE: pl.Float64}
    return Texts(str(path), pl.DataFrame(rows, schema, orient="row"), "first", "second", SCORE)
