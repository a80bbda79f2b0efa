"""SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv 2002.05709)."""

from functools import partial

from pydantic import Field
from torch import nn

from contraview.frameworks.image_pretraining import (
    ImagePretraining,
    ImagePretrainingConfig,
    Method,
)
from contraview.frameworks.two_view import Views, two_view
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.nt_xent import nt_xent


class SimCLRConfig(ImagePretrainingConfig):
    """Settings of SimCLR."""

    temperature: float = Field(0.2, gt=0, description="tau of NT-Xent, eq. 1")
    hidden: int = Field(128, ge=1, description="hidden width of the projection head g")
    outputs: int = Field(64, ge=2, description="width of the projection z; paper 128")


class SimCLR(ImagePretraining):
    """Learns an encoder of images without labels: two views of an image attract, others repel.

    Each image of a batch is seen twice, cropped and recoloured at random. Of the 2n projections
    each has to find its partner among the 2n - 1 others (NT-Xent). The projection head is then put
    aside: the encoder's own output is the embedding.

    SimCLR's official code trains a ResNet-50 with LARS on batches of 4,096; here a small encoder
    without batch statistics is trained with AdamW, and hue is turned in YIQ.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "simclr"
    Config = SimCLRConfig

    def method(self, encoder: ImageEncoder, views: Views, seed: int) -> Method:
        """NT-Xent on the projections of two views."""
        config = self.config
        head = fresh(
            lambda: mlp(encoder.outputs, config.hidden, config.outputs, norm="batch"), seed, "head"
        )
        objective = partial(nt_xent, temperature=config.temperature)
        return Method(nn.Sequential(encoder, head), two_view(views, objective))
