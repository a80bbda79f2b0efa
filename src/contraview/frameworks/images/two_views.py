"""Two views of each image, and a method that compares them; what may be plugged in between."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.frameworks.hallucination import HallucinatedPositives, Hallucination
from contraview.frameworks.images.pretraining import (
    ImagePretraining,
    ImagePretrainingConfig,
    Method,
)
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.networks.heads import Head
from contraview.training.step import Step

RowWeights = Float[Tensor, " b"] | None
"""How much each image's pair counts, one on average; None: all alike."""


class Pair(NamedTuple):
    """Queries, and the keys they should find, row for row."""

    queries: Float[Tensor, "b d"]
    keys: Float[Tensor, "b d"]


class Contrast(nn.Module):
    """How the views of a batch are compared: the networks, who is compared, and the loss.

    ``contrast(one, other)`` gives one or two pairs; the loss of the method is the mean of
    ``compare`` over them.
    """

    width: int
    """Of queries and keys."""

    @abstractmethod
    def forward(self, one: Float[Tensor, "b c h w"], other: Float[Tensor, "b c h w"]) -> list[Pair]:
        """What is to be compared."""

    @abstractmethod
    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:
        """The loss of a pair."""

    def keep(self, pairs: list[Pair]) -> None:
        """Remember what the next batches are compared with; nothing by default."""

    def follow(self, done: int) -> None:
        """Move what follows the trained network; nothing by default."""


class TwoViewsConfig(ImagePretrainingConfig):
    """Settings of every method that compares two views of an image."""

    head: Head = Field(
        "mlp",
        description="what stands between encoder and loss; `reweight` multiplies feature i by "
        "kappa^-i and has no weights (arXiv 2403.11391)",
    )
    kappa: float = Field(1.05, gt=1, description="k of the head `reweight`")
    positives: Hallucination = Field(
        Hallucination.of(), description="further positives made of embeddings (arXiv 2307.12168)"
    )


class Compared(nn.Module):
    """A contrast and, where asked for, the module that hallucinates positives."""

    def __init__(self, contrast: Contrast, hallucinator: HallucinatedPositives | None) -> None:
        super().__init__()
        self.contrast, self.hallucinator = contrast, hallucinator

    def forward(
        self, one: Tensor, other: Tensor, generator: torch.Generator
    ) -> tuple[list[Pair], list[Pair]]:
        """The contrast's own pairs, and those with hallucinated queries."""
        pairs = self.contrast(one, other)
        if self.hallucinator is None:
            return pairs, []
        return pairs, [Pair(self.hallucinator(*pair, generator), pair.keys) for pair in pairs]


class TwoViews(ImagePretraining):
    """An encoder learnt by comparing two views of each image.

    A system says how views are compared, `contrast`. It may also say where they come from,
    `views_of`, and how much each pair counts, `weights_of`.
    """

    Config = TwoViewsConfig

    @abstractmethod
    def contrast(self, encoder: ImageEncoder, seed: int) -> Contrast:
        """How the views are compared; initial weights come from ``seed``."""

    def views_of(self, images: Images, run: Run) -> Views:  # noqa: ARG002 - a system may train here
        """Two views of each image, drawn apart."""
        view = self.config.views

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels = images.batch(rows, generator.device)
            return view(pixels, generator), view(pixels, generator)

        return views

    def weights_of(self, one: Tensor, other: Tensor) -> RowWeights:  # noqa: ARG002
        """How much each pair of views counts; all alike by default."""
        return None

    def method(self, encoder: ImageEncoder, images: Images, run: Run) -> Method:
        """The contrast's loss, and that of hallucinated positives beside it.

        Both are averaged with weights 1 and w: ``(L(q, k) + w L(h, k)) / (1 + w)``.
        """
        views = self.views_of(images, run)
        contrast = self.contrast(encoder, run.seed)
        share = self.config.positives.weight
        hallucinator = None
        if share:
            hallucinator = fresh(
                lambda: HallucinatedPositives(self.config.positives, contrast.width),
                run.seed,
                "hallucinator",
            )

        def compared(pairs: list[Pair], weights: RowWeights) -> Float[Tensor, ""]:
            return torch.stack([contrast.compare(pair, weights) for pair in pairs]).mean()

        def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
            one, other = views(rows, generator)
            pairs, further = model(one, other, generator)
            weights = self.weights_of(one, other)
            total, terms = compared(pairs, weights), {}
            if further:
                extra = compared(further, weights)
                terms = {"pairs": total, "hallucinated": extra} | _likeness(pairs, further)
                total = (total + share * extra) / (1 + share)
            contrast.keep(pairs)
            return Step(total, embeddings=pairs[0].queries, positives=pairs[0].keys, terms=terms)

        return Method(Compared(contrast, hallucinator), loss, _follow)


def _follow(model: nn.Module, done: int) -> None:
    assert isinstance(model, Compared)
    model.contrast.follow(done)


@torch.no_grad()
def _likeness(pairs: list[Pair], further: list[Pair]) -> dict[str, Tensor]:
    """Cosines of queries and keys, hallucinated or not: where both meet, nothing is gained."""
    return {
        name: torch.cosine_similarity(some[0].queries, some[0].keys).mean()
        for name, some in (("cosine", pairs), ("hallucinated cosine", further))
    }
