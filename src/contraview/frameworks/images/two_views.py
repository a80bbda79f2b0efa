"""Two views of each image, and a method that compares them; what may be plugged in between."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.frameworks.hallucination import HallucinatedPositives, Hallucination
from contraview.frameworks.images.pretraining import (
    ImagePretraining,
    ImagePretrainingConfig,
    Method,
)
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder
from contraview.networks.fresh import fresh
from contraview.networks.heads import Head
from contraview.networks.mlp import Norm
from contraview.training.grad_cache import in_chunks
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
    head: nn.Module
    """What stands between the encoder and the loss."""

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
    head_norm: Norm | None = Field(
        None,
        description="normalisation in the head: batch (over the rows of a process: on several "
        "results differ), layer, none; unset: the method's own (MoCo none, the others batch)",
    )
    chunk: int | None = Field(
        None,
        ge=1,
        description="images at a time through the networks, to save memory for one more forward "
        "pass: gradient and negatives are of the whole batch (GradCache, arXiv 2101.06983), needs "
        "a head_norm other than batch; unset: all at once",
    )
    positives: Hallucination = Field(
        Hallucination.of(), description="further positives made of embeddings (arXiv 2307.12168)"
    )


class Term(nn.Module):
    """A further term of the loss beside the comparison of views, with networks of its own or none.

    Its value times its `weight` is added to the loss. It is part of the trained module.
    """

    name: str
    """What the run's report calls it."""

    @property
    @abstractmethod
    def weight(self) -> float:
        """What the term counts at this step; at 0 it is not worked out."""

    @abstractmethod
    def inputs(
        self, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> tuple[Shaped[Tensor, "..."], ...]:
        """What it needs to know of the images of a step, beside their pairs."""

    @abstractmethod
    def forward(self, pairs: list[Pair], *inputs: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        """The value of the term."""

    def follow(self, done: int) -> None:
        """Take note that so many steps are done; nothing by default."""


class Compared(nn.Module):
    """A contrast and, where asked for, what hallucinates positives and a further term."""

    def __init__(
        self,
        contrast: Contrast,
        hallucinator: HallucinatedPositives | None = None,
        term: Term | None = None,
    ) -> None:
        super().__init__()
        self.contrast, self.hallucinator, self.term = contrast, hallucinator, term

    def forward(
        self,
        one: Tensor,
        other: Tensor,
        generator: torch.Generator,
        beside: tuple[Tensor, ...] | None = None,
    ) -> tuple[list[Pair], list[Pair], Float[Tensor, ""] | None]:
        """The contrast's own pairs, those with hallucinated queries, and the term's value."""
        pairs, further, value = self.contrast(one, other), [], None
        if self.hallucinator is not None:
            further = [Pair(self.hallucinator(*pair, generator), pair.keys) for pair in pairs]
        if self.term is not None and beside is not None:
            value = self.term(pairs, *beside)
        elif self.term is not None:  # data-parallel training wants every weight in every step
            value = pairs[0].queries.new_zeros(())
            for weights in self.term.parameters():
                value = value + 0 * weights.sum()
        return pairs, further, value


class TwoViews(ImagePretraining):
    """An encoder learnt by comparing two views of each image.

    A system says how views are compared, `contrast`. It may also say where they come from,
    `views_of`, how much each pair counts, `weights_of`, and what is learnt beside, `term`.
    """

    Config = TwoViewsConfig

    @abstractmethod
    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
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

    def term(self, encoder: Encoder, images: Images, run: Run) -> Term | None:  # noqa: ARG002
        """What is added to the loss of the comparison; nothing by default."""
        return None

    def method(self, encoder: Encoder, images: Images, run: Run) -> Method:
        """The contrast's loss, that of hallucinated positives beside it, and a further term.

        The first two are averaged with weights 1 and w: ``(L(q, k) + w L(h, k)) / (1 + w)``; the
        term is added with its own weight.
        """
        views = self.views_of(images, run)
        contrast = self.contrast(encoder, run.seed)
        term = self.term(encoder, images, run)
        share = self.config.positives.weight
        hallucinator = None
        if share:
            hallucinator = fresh(
                lambda: HallucinatedPositives(self.config.positives, contrast.width),
                run.seed,
                "hallucinator",
            )

        self._need_whole(hallucinator, term)

        def compared(pairs: list[Pair], weights: RowWeights) -> Float[Tensor, ""]:
            return torch.stack([contrast.compare(pair, weights) for pair in pairs]).mean()

        def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
            one, other = views(rows, generator)
            counts = 0.0 if term is None else term.weight
            beside = term.inputs(rows, generator) if term is not None and counts else None
            after, further, value = None, [], one.new_zeros(())
            if self.config.chunk is None:
                pairs, further, value = model(one, other, generator, beside)
            else:
                pairs, after = self._chunked(model, one, other, generator)
                if term is not None and beside is not None:
                    value = term(pairs, *beside)
            weights = self.weights_of(one, other)
            total, terms = compared(pairs, weights), {}
            if further:
                extra = compared(further, weights)
                terms = {"pairs": total, "hallucinated": extra} | _likeness(pairs, further)
                total = (total + share * extra) / (1 + share)
            if term is not None:
                if beside is not None:
                    terms = {"pairs": total, **terms, term.name: value}
                total = total + counts * value
            contrast.keep(pairs)
            return Step(
                total,
                embeddings=pairs[0].queries,
                positives=pairs[0].keys,
                terms=terms,
                after_backward=after,
            )

        return Method(Compared(contrast, hallucinator, term), loss, _follow)

    def _need_whole(self, hallucinator: nn.Module | None, term: Term | None) -> None:
        """Refuse chunks where something beside the pairs has networks of its own."""
        beside = None
        if hallucinator is not None:
            beside = "positives.weight"
        elif term is not None and any(True for _ in term.parameters()):
            beside = term.name
        if self.config.chunk is not None and beside:
            raise InputError(
                f"chunk: not together with {beside}; expected the pairs of views alone"
            )

    def _chunked(
        self, model: nn.Module, one: Tensor, other: Tensor, generator: torch.Generator
    ) -> tuple[list[Pair], Callable[[], None] | None]:
        """The contrast's pairs, ``chunk`` images at a time."""

        def passes(one: Tensor, other: Tensor) -> tuple[Tensor, ...]:
            return tuple(vectors for pair in model(one, other, generator)[0] for vectors in pair)

        found, after = in_chunks(model, passes, (one, other), self.config.chunk)
        return [Pair(*two) for two in zip(found[::2], found[1::2], strict=True)], after


def _follow(model: nn.Module, done: int) -> None:
    assert isinstance(model, Compared)
    model.contrast.follow(done)
    if model.term is not None:
        model.term.follow(done)


@torch.no_grad()
def _likeness(pairs: list[Pair], further: list[Pair]) -> dict[str, Tensor]:
    """Cosines of queries and keys, hallucinated or not: where both meet, nothing is gained."""
    return {
        name: torch.cosine_similarity(some[0].queries, some[0].keys).mean()
        for name, some in (("cosine", pairs), ("hallucinated cosine", further))
    }
