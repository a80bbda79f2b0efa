"""SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv 2002.05709)."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from contraview.frameworks.images.two_views import (
    Contrast,
    Pair,
    RowWeights,
    TwoViews,
    TwoViewsConfig,
)
from contraview.modalities.images.nets import Encoder
from contraview.networks.heads import head
from contraview.objectives.nt_xent import nt_xent


class SimCLRConfig(TwoViewsConfig):
    """Settings of SimCLR."""

    temperature: float = Field(0.2, gt=0, description="tau of NT-Xent, eq. 1")
    hidden: int = Field(128, ge=1, description="hidden width of the projection head g")
    outputs: int = Field(64, ge=2, description="width of the projection z; paper 128")


class NTXentContrast(Contrast):
    """Two projections of each image, each of which has to find the other."""

    def __init__(self, encoder: Encoder, config: SimCLRConfig, seed: int) -> None:
        super().__init__()
        self.head, self.width = head(
            config.head, encoder.outputs, config.hidden, config.outputs,
            norm=config.head_norm or "batch", kappa=config.kappa, seed=seed,
        )  # fmt: skip
        self.network = nn.Sequential(encoder, self.head)
        self.temperature = config.temperature

    def forward(self, one: Float[Tensor, "b c h w"], other: Float[Tensor, "b c h w"]) -> list[Pair]:
        """One pair, in one pass; gradients flow into both."""
        return [Pair(*self.network(torch.cat([one, other])).chunk(2))]

    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:
        """NT-Xent, which asks in both directions."""
        return nt_xent(*pair, temperature=self.temperature, row_weights=weights)


class SimCLR(TwoViews):
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

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """NT-Xent on the projections of two views."""
        return NTXentContrast(encoder, self.config, seed)
