"""Projection head study (Xue, Gan, Ni, Joshi, Mirzasoleiman 2024, arXiv 2403.11391)."""

from contraview.systems.projection_head.projection_head import ProjectionHead

__all__ = ["ProjectionHead"]
