"""Wearable biosignals (Abbaspourazad et al., ICLR 2024, arXiv 2312.05409)."""

from contraview.systems.biosignals.biosignals import Biosignals

__all__ = ["Biosignals"]
