"""CleanCLIP: image-text models that forget hidden triggers."""

from contraview.systems.clean_clip.clean_clip import CleanClip
from contraview.systems.clean_clip.config import CleanClipConfig

__all__ = ["CleanClip", "CleanClipConfig"]
