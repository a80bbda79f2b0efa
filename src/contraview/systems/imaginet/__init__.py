"""ImagiNet: is an image real or made by a model, and by which."""

from contraview.systems.imaginet.config import ImagiNetConfig
from contraview.systems.imaginet.imaginet import ImagiNet

__all__ = ["ImagiNet", "ImagiNetConfig"]
