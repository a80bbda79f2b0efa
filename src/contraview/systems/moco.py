"""MoCo (He et al. 2020, arXiv 1911.05722; v2: Chen et al. 2020, arXiv 2003.04297)."""

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from contraview.frameworks.image_pretraining import (
    ImagePretraining,
    ImagePretrainingConfig,
    Method,
)
from contraview.frameworks.momentum import Student, following, momentum_loss
from contraview.frameworks.two_view import Views
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit
from contraview.pairing.queue import KeyQueue


class MoCoConfig(ImagePretrainingConfig):
    """Settings of MoCo."""

    temperature: float = Field(0.2, gt=0, description="tau, v2: 0.2")
    hidden: int = Field(128, ge=1, description="hidden width of the projection head; v2: 2048")
    outputs: int = Field(64, ge=2, description="width of the projection; paper 128")
    momentum: float = Field(0.99, ge=0, lt=1, description="m of the teacher, eq. 2; paper 0.999")
    queue: int = Field(4096, ge=1, description="K, earlier keys to compare with; paper 65,536")


class MoCo(ImagePretraining):
    """Learns an encoder of images without labels, against a queue of what a slow copy of it saw.

    A view's query has to find the key of the other view, which a teacher makes: a moving average of
    the encoder. Keys of earlier batches stay in a queue as negatives, so there are many of them
    however small a batch is. This is version 2: a hidden layer in the head, blur among the views.

    Differs from the official code: the loss is symmetric over the two views, the other keys of the
    batch are negatives too, the queue starts empty instead of random, and no batch normalisation
    needs shuffling, for there is none.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "moco"
    Config = MoCoConfig

    def method(self, encoder: ImageEncoder, views: Views, seed: int) -> Method:
        """InfoNCE of queries and the teacher's keys, the queue among the negatives."""
        config = self.config
        head = fresh(lambda: mlp(encoder.outputs, config.hidden, config.outputs), seed, "head")
        queue = KeyQueue(config.queue, config.outputs)
        student = Student(nn.Sequential(encoder, head), queue=queue)

        def objective(
            queries: Float[Tensor, "b d"],
            keys: Float[Tensor, "b d"],
            earlier: Float[Tensor, "k d"] | None,
        ) -> Float[Tensor, ""]:
            scale = 1 / config.temperature
            return info_nce(unit(queries), unit(keys), scale=scale, extra_keys=earlier)

        loss = momentum_loss(views, objective, queue)
        return Method(student, loss, following(config.momentum))
