"""SimSiam (Chen and He 2021, arXiv 2011.10566)."""

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
from contraview.networks.fresh import fresh
from contraview.networks.heads import head
from contraview.networks.mlp import mlp
from contraview.objectives.negative_cosine import negative_cosine


class SimSiamConfig(TwoViewsConfig):
    """Settings of SimSiam."""

    outputs: int = Field(128, ge=2, description="width of the projection z; paper 2048")
    bottleneck: int = Field(32, ge=1, description="hidden width of the predictor h; paper 512")


class PredictorContrast(Contrast):
    """One view's prediction of the other's projection, without negatives."""

    def __init__(self, encoder: Encoder, config: SimSiamConfig, seed: int) -> None:
        super().__init__()
        norm = config.head_norm or "batch"
        self.head, self.width = head(
            config.head, encoder.outputs, config.outputs, config.outputs,
            norm=norm, last_norm=norm != "none", kappa=config.kappa, seed=seed,
        )  # fmt: skip
        self.network = nn.Sequential(encoder, self.head)
        self.predictor = fresh(
            lambda: mlp(self.width, config.bottleneck, self.width, norm=norm), seed, "predictor"
        )

    def forward(self, one: Float[Tensor, "b c h w"], other: Float[Tensor, "b c h w"]) -> list[Pair]:
        """Prediction p = h(f(x)) of each view, with the other's z = f(x), which stands still."""
        first, second = self.network(one), self.network(other)
        return [
            Pair(self.predictor(first), second.detach()),
            Pair(self.predictor(second), first.detach()),
        ]

    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:
        """Minus their cosine."""
        return negative_cosine(*pair, row_weights=weights)


class SimSiam(TwoViews):
    """Learns an encoder of images without labels and without negatives: one view predicts another.

    A small predictor on one side and a stopped gradient on the other are what keeps all images from
    falling into one point; batch normalisation in the heads helps (paper, section 4). Watch the
    effective rank in the run's report all the same.

    Differs from the official code: AdamW where that has SGD with a constant rate for the predictor,
    and a small encoder with group normalisation.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "simsiam"
    Config = SimSiamConfig

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """Minus the cosine of each view's prediction and the other's projection, on average."""
        return PredictorContrast(encoder, self.config, seed)
