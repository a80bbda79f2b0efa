"""CM-UNet: masked reconstruction and contrast pre-train a whole U-Net; few masks then suffice."""

from contraview.systems.cm_unet.cm_unet import CmUnet
from contraview.systems.cm_unet.config import CmUnetConfig

__all__ = ["CmUnet", "CmUnetConfig"]
