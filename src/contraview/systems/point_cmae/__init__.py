"""Point-CMAE: masked autoencoding of point clouds under two masks that have to agree."""

from contraview.systems.point_cmae.config import PointCmaeConfig
from contraview.systems.point_cmae.point_cmae import PointCmae

__all__ = ["PointCmae", "PointCmaeConfig"]
