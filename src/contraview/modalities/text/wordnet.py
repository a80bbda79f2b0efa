"""WordNet's data files as plain sentences: each set of synonyms with what it means."""

from collections.abc import Sequence
from pathlib import Path

from contraview.core.errors import InputError


def read_glosses(paths: Sequence[Path]) -> list[str]:
    """One string a set of synonyms: its words, a colon, its gloss (``dog, domestic dog: a ...``).

    A line of a data file is numbers, the words each with a number, pointers, and after a bar the
    gloss; lines that begin with a space are the licence (WordNet's manual page wndb, section 5).
    """
    strings = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
            if line.startswith(" "):
                continue
            fields, bar, gloss = line.partition("|")
            cells = fields.split()
            try:
                count = int(cells[3], 16)
                words = cells[4 : 4 + 2 * count : 2]
            except (IndexError, ValueError):
                raise InputError(f"{path}: line {number}: no line of WordNet data") from None
            if not bar or len(words) != count:
                raise InputError(f"{path}: line {number}: no line of WordNet data")
            names = ", ".join(word.partition("(")[0].replace("_", " ") for word in words)
            strings.append(f"{names}: {gloss.strip()}")
    return strings
