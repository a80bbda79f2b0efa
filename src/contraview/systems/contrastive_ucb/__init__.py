"""Contrastive UCB: features learnt by contrast, exploration by their uncertainty."""

from contraview.systems.contrastive_ucb.config import ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.contrastive_ucb import ContrastiveUcb

__all__ = ["ContrastiveUcb", "ContrastiveUcbConfig"]
