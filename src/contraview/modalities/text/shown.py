"""How a string looks: its words; of a pair both."""

from contraview.core.shown import Shown, words
from contraview.modalities.text.data import Texts


def show(data: Texts, i: int) -> Shown:
    """The string, and below it the other one where rows are pairs."""
    columns = [data.column] if data.other is None else [data.column, data.other]
    return words("\n\n".join(str(data.table[column][i]) for column in columns))
