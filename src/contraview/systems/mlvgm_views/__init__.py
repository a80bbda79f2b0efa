"""MLVGM views: pairs of generated images that share some levels of their latents."""

from contraview.systems.mlvgm_views.critic import CriticConfig
from contraview.systems.mlvgm_views.mlvgm_views import MlvgmViews, MlvgmViewsConfig
from contraview.systems.mlvgm_views.moves import MoveConfig

__all__ = ["CriticConfig", "MlvgmViews", "MlvgmViewsConfig", "MoveConfig"]
