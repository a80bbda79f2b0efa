"""SimSiam (Chen and He 2021, arXiv 2011.10566)."""

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from contraview.frameworks.image_pretraining import (
    ImagePretraining,
    ImagePretrainingConfig,
    Method,
)
from contraview.frameworks.two_view import Views
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.negative_cosine import negative_cosine
from contraview.training.step import Step


class SimSiamConfig(ImagePretrainingConfig):
    """Settings of SimSiam."""

    outputs: int = Field(128, ge=2, description="width of the projection z; paper 2048")
    bottleneck: int = Field(32, ge=1, description="hidden width of the predictor h; paper 512")


class Siamese(nn.Module):
    """Encoder and projector f, predictor h."""

    def __init__(self, network: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.network, self.predictor = network, predictor

    def forward(
        self, view: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Prediction p = h(f(x)) and projection z = f(x)."""
        projection = self.network(view)
        return self.predictor(projection), projection


class SimSiam(ImagePretraining):
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

    def method(self, encoder: ImageEncoder, views: Views, seed: int) -> Method:
        """Minus the cosine of each view's prediction and the other's projection, on average."""
        config = self.config
        width = config.outputs
        projector = fresh(
            lambda: mlp(encoder.outputs, width, width, norm="batch", last_norm=True), seed, "head"
        )
        predictor = fresh(
            lambda: mlp(width, config.bottleneck, width, norm="batch"), seed, "predictor"
        )

        def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
            one, other = views(rows, generator)
            first, first_target = model(one)
            second, second_target = model(other)
            both = negative_cosine(first, second_target) + negative_cosine(second, first_target)
            return Step(both / 2, embeddings=first_target, positives=second_target)

        return Method(Siamese(nn.Sequential(encoder, projector), predictor), loss)
