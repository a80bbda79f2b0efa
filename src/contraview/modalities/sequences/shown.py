"""How a sequence looks: its letters."""

from typing import Final

from contraview.core.shown import Shown, words
from contraview.modalities.sequences.data import Sequences

WIDTH: Final = 60
MOST: Final = 600


def show(data: Sequences, i: int) -> Shown:
    """Name, length and the first letters, sixty a line."""
    letters = data[i][:MOST].tobytes().decode("ascii", "replace")
    lines = [letters[at : at + WIDTH] for at in range(0, len(letters), WIDTH)]
    length = int(data.lengths[i])
    more = ["..."] if length > MOST else []
    return words("\n".join([f"{data.names[i]}, {length:,} letters", *lines, *more]))
