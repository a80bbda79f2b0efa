"""Selfie: an image's missing patches, each to be chosen among the others."""

from contraview.systems.selfie.config import SelfieConfig
from contraview.systems.selfie.selfie import Selfie

__all__ = ["Selfie", "SelfieConfig"]
