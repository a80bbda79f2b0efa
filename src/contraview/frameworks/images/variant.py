"""A method that stands on SimCLR, MoCo or SimSiam, whichever the user names."""

from typing import Literal

from pydantic import Field

from contraview.frameworks.images.moco import MoCoConfig, QueueContrast
from contraview.frameworks.images.simclr import NTXentContrast, SimCLRConfig
from contraview.frameworks.images.simsiam import PredictorContrast, SimSiamConfig
from contraview.frameworks.images.two_views import Contrast, TwoViews
from contraview.modalities.images.nets import Encoder

CONTRASTS = {"simclr": NTXentContrast, "moco": QueueContrast, "simsiam": PredictorContrast}


class VariantConfig(MoCoConfig, SimCLRConfig, SimSiamConfig):
    """Settings of all three, and which of them is meant."""

    base: Literal["simclr", "moco", "simsiam"] = Field(
        "simclr", description="the method that this one changes; settings of others go unused"
    )
    outputs: int = Field(64, ge=2, description="width of the projection z")


class Variant(TwoViews):
    """An encoder learnt as SimCLR, MoCo or SimSiam do, but for what a system changes."""

    Config = VariantConfig

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """That of the base."""
        return CONTRASTS[self.config.base](encoder, self.config, seed)
