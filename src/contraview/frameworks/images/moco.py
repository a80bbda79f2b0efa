"""MoCo (He et al. 2020, arXiv 1911.05722; v2: Chen et al. 2020, arXiv 2003.04297)."""

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
from contraview.frameworks.momentum import Student
from contraview.modalities.images.nets import Encoder
from contraview.networks.heads import head
from contraview.objectives.distributed import gather
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit
from contraview.pairing.ema import follow
from contraview.pairing.queue import KeyQueue


class MoCoConfig(TwoViewsConfig):
    """Settings of MoCo."""

    temperature: float = Field(0.2, gt=0, description="tau, v2: 0.2")
    hidden: int = Field(128, ge=1, description="hidden width of the projection head; v2: 2048")
    outputs: int = Field(64, ge=2, description="width of the projection; paper 128")
    momentum: float = Field(0.99, ge=0, lt=1, description="m of the teacher, eq. 2; paper 0.999")
    queue: int = Field(4096, ge=1, description="K, earlier keys to compare with; paper 65,536")


class QueueContrast(Contrast):
    """A student's queries have to find a slow teacher's keys; earlier keys are in a queue."""

    def __init__(self, encoder: Encoder, config: MoCoConfig, seed: int) -> None:
        super().__init__()
        self.head, self.width = head(
            config.head, encoder.outputs, config.hidden, config.outputs,
            norm=config.head_norm or "none", kappa=config.kappa, seed=seed,
        )  # fmt: skip
        self.student = Student(nn.Sequential(encoder, self.head))
        self.queue = KeyQueue(config.queue, self.width)
        self.scale, self.momentum = 1 / config.temperature, config.momentum

    def forward(self, one: Float[Tensor, "b c h w"], other: Float[Tensor, "b c h w"]) -> list[Pair]:
        """Each view's queries with the teacher's keys of the other view."""
        first, second, first_keys, second_keys = self.student(one, other)
        return [Pair(first, second_keys), Pair(second, first_keys)]

    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:
        """InfoNCE against the other keys of the batch and those of the queue."""
        earlier = self.queue.keys() if int(self.queue.count) else None
        queries, keys = map(unit, pair)
        return info_nce(queries, keys, scale=self.scale, extra_keys=earlier, row_weights=weights)

    def keep(self, pairs: list[Pair]) -> None:
        """Keys of the second view, of all processes, enter the queue."""
        self.queue.push(gather(pairs[0].keys)[0])

    def follow(self, done: int) -> None:  # noqa: ARG002
        """Move the teacher."""
        follow(self.student.teacher, self.student.network, self.momentum)


class MoCo(TwoViews):
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

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """InfoNCE of queries and the teacher's keys, the queue among the negatives."""
        return QueueContrast(encoder, self.config, seed)
