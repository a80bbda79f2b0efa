"""Images with captions, texts alone, and captions as the numbers that a network reads."""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Int, Int64, Shaped
from pydantic import Field
from torch import Tensor

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images, ImageSource

LITERAL: Final = "text:"
"""``text:a red apple`` is that text, not a file."""


@dataclass(frozen=True)
class Texts:
    """Texts to embed or to search with, one an item."""

    lines: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def parts(self) -> Iterator["Texts"]:
        """All of them at once."""
        yield self

    def collect(self) -> pl.DataFrame:
        """One row a text."""
        return pl.DataFrame({"text": self.lines}, schema={"text": pl.String})

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """Texts have no labels."""
        raise InputError("texts have no labels; expected images")

    def take(self, rows: Sequence[int] | Int[np.ndarray, " m"]) -> "Texts":
        """The texts with these numbers, in this order."""
        return Texts(tuple(self.lines[int(row)] for row in rows))

    def fingerprint(self) -> str:
        """A digest of the texts."""
        return hashlib.blake2b("\x1f".join(self.lines).encode(), digest_size=16).hexdigest()


class CaptionedSource(ImageSource):
    """How images with captions are read, and texts."""

    captions: str = Field("caption", description="the column with the caption of each image")

    def read(self, source: Any) -> Images | Texts:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Images; or texts, from a ``.txt`` file with one a line, or from ``text:WORDS``.

        Args:
            source: `Texts`, ``.txt`` files, ``text:...``, or what `read_images` takes.
        """
        texts = _texts(source)
        return replace(super().read(source), caption=self.captions) if texts is None else texts

    def stream(self, source: Any) -> Any:
        """As `read`, for a single pass; see `ImageSource.stream`."""
        texts = _texts(source)
        return replace(super().stream(source), caption=self.captions) if texts is None else texts


def _texts(source: Any) -> Texts | None:
    """The texts that ``source`` is or names; None where it is something else."""
    if isinstance(source, Texts):
        return source
    named = [source] if isinstance(source, str | Path) else source
    if isinstance(named, list | tuple) and named and all(map(_is_text, named)):
        return Texts(tuple(line for each in named for line in _lines(each)))
    return None


def _is_text(source: Any) -> bool:
    return isinstance(source, str | Path) and (
        str(source).startswith(LITERAL) or str(source).endswith(".txt")
    )


def _lines(source: str | Path) -> list[str]:
    if str(source).startswith(LITERAL):
        lines = [str(source).removeprefix(LITERAL).strip()]
    else:
        try:
            content = Path(source).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"{source}: no such file; expected one text a line") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{source}: cannot be read as text: {error}") from None
        lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines or not all(lines):
        raise InputError(f"{source}: no text; expected words")
    return lines


def captions_of(images: Images) -> list[str]:
    """The caption of each image.

    Raises:
        InputError: no column of captions, or an image without one.
    """
    if images.caption is None:
        raise InputError("the images have no captions; name their column with --captions")
    captions = images.texts(images.caption).tolist()
    for row, caption in enumerate(captions, start=1):
        if not caption.strip():
            raise InputError(
                f"row {row}, column {images.caption!r}: empty; expected a caption for each image"
            )
    return captions


def tokens(
    texts: Sequence[str], *, buckets: int, words: int, grams: int = 16
) -> Int64[Tensor, "n w g"]:
    """Each text as words, each word as the hashed numbers of its character trigrams; 0 is nothing.

    Words are lower-cased runs of letters and digits, or single other signs; a mark on either side
    makes beginnings and ends trigrams of their own. No vocabulary has to be kept, and words never
    seen share trigrams with known ones (Bojanowski et al. 2017, arXiv 1607.04606).

    Args:
        texts: of any language.
        buckets: numbers to hash to, 1 to ``buckets`` - 1.
        words: of a text, the first ones.
        grams: of a word, the first ones.
    """
    rows = [[_grams(word, buckets)[:grams] for word in split_words(text)[:words]] for text in texts]
    wide = max((len(row) for row in rows), default=0) or 1
    deep = max((len(word) for row in rows for word in row), default=0) or 1
    table = np.zeros((len(rows), wide, deep), np.int64)
    for i, row in enumerate(rows):
        for j, word in enumerate(row):
            table[i, j, : len(word)] = word
    return torch.from_numpy(table)


def split_words(text: str) -> list[str]:
    """Lower-cased runs of letters and digits; any other sign that is no space alone."""
    found: list[str] = []
    run = ""
    for sign in text.lower():
        if sign.isalnum():
            run += sign
            continue
        if run:
            found.append(run)
            run = ""
        if not sign.isspace():
            found.append(sign)
    return [*found, run] if run else found


@lru_cache(maxsize=100_000)
def _grams(word: str, buckets: int) -> list[int]:
    marked = f"<{word}>"
    pieces = [marked[i : i + 3] for i in range(max(len(marked) - 2, 1))]
    return [1 + zlib.crc32(piece.encode()) % (buckets - 1) for piece in pieces]
