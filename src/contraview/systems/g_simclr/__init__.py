"""G-SimCLR: batches of images that are probably of different kinds."""

from contraview.systems.g_simclr.g_simclr import GSimCLR, GSimCLRConfig
from contraview.systems.g_simclr.pseudo_classes import PseudoClasses

__all__ = ["GSimCLR", "GSimCLRConfig", "PseudoClasses"]
