"""GenView: views from a generator, and how much each pair of views is worth."""

from contraview.systems.genview.attention import Attention
from contraview.systems.genview.genview import GenView, GenViewConfig
from contraview.systems.genview.variations import Variations

__all__ = ["Attention", "GenView", "GenViewConfig", "Variations"]
