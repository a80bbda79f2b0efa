"""SCGC: self-supervised contrastive graph clustering, without message passing."""

from contraview.systems.scgc.config import ScgcConfig
from contraview.systems.scgc.scgc import Scgc

__all__ = ["Scgc", "ScgcConfig"]
