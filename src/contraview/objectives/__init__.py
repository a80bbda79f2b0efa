"""Losses: pure functions of embeddings, one idea a file, linear in memory at any batch size."""

from contraview.objectives.clan import clad_loss, clan_loss
from contraview.objectives.deep_clustering import group_divergence, sharpened, student_t
from contraview.objectives.density_ratio import density_ratio
from contraview.objectives.dice import dice_loss
from contraview.objectives.hierarchical import hierarchical
from contraview.objectives.info_nce import info_nce
from contraview.objectives.koleo import koleo
from contraview.objectives.masked_mse import masked_mse
from contraview.objectives.neighbourhood import neighbourhood
from contraview.objectives.nt_xent import nt_xent
from contraview.objectives.soft_contrast import soft_contrast
from contraview.objectives.sup_con import sup_con

__all__ = [
    "clad_loss",
    "clan_loss",
    "density_ratio",
    "dice_loss",
    "group_divergence",
    "hierarchical",
    "info_nce",
    "koleo",
    "masked_mse",
    "neighbourhood",
    "nt_xent",
    "sharpened",
    "soft_contrast",
    "student_t",
    "sup_con",
]
