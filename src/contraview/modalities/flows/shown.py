"""How a flow looks: its columns."""

from contraview.core.shown import Shown, words
from contraview.modalities.flows.data import Flows


def show(data: Flows, i: int) -> Shown:
    """One line a column that has a value."""
    (row,) = data.take([i]).collect().to_dicts()
    return words("\n".join(f"{name}  {value}" for name, value in row.items() if value is not None))
