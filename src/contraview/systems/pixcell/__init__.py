"""PixCell: new tiles like a reference, steered by a self-supervised embedding of it."""

from contraview.systems.pixcell.config import PixCellConfig
from contraview.systems.pixcell.pixcell import PixCell

__all__ = ["PixCell", "PixCellConfig"]
