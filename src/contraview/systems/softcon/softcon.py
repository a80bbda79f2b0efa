"""SoftCon (Wang, Albrecht, Zhu 2024, arXiv 2405.20462)."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, array, demand
from contraview.core.run import Run
from contraview.evaluation.multi_label import MultiLabelProbe, multi_hot
from contraview.evaluation.probes import labels_of
from contraview.frameworks.images.two_views import Contrast, Pair, Term, TwoViews
from contraview.frameworks.two_view import Views
from contraview.modalities.images.bands import BandScale, BandSource, read_bands
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder, ImageEncoder
from contraview.objectives.soft_contrast import soft_contrast
from contraview.systems.softcon.config import PRESETS, SoftConConfig
from contraview.systems.softcon.graph import band_graph
from contraview.systems.softcon.masking import MaskedContrast, with_mask


class SoftTerm(Term):
    """Every pair of images of a batch is as alike as the classes they share.

    Args:
        labels: which classes each image of the fit has, by weak labels; all zeros where unknown.
        config: weight, temperature, and whose embeddings are compared.
    """

    name = "soft contrast"

    def __init__(self, labels: Float[Tensor, "n c"], config: SoftConConfig) -> None:
        super().__init__()
        self._labels, self._counts = labels, config.soft_weight
        self._temperature, self._between = config.soft_temperature, config.soft_between

    @property
    def weight(self) -> float:
        """The same at every step."""
        return self._counts

    def inputs(
        self, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "b c"]]:
        """The weak labels of the rows."""
        return (self._labels[rows.cpu()].to(generator.device),)

    def forward(self, pairs: list[Pair], *inputs: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        """The soft contrast of two views of each image, seen by the student, or by it and the
        teacher.
        """
        (labels,) = inputs
        if self._between == "student":
            pairs = [Pair(pairs[0].queries, pairs[1].queries)]
        each = [soft_contrast(*pair, labels, labels, self._temperature) for pair in pairs]
        return torch.stack(each).mean()


def seasons(
    places: Shaped[np.ndarray, " n"],
) -> Callable[[Int[Tensor, " b"], torch.Generator], Int[Tensor, " b"]]:
    """What draws, for each of some rows, another row of its place; the row itself if it is alone.

    A row whose place is empty is alone.
    """
    alone = np.flatnonzero(places == "")
    _, group = np.unique(places, return_inverse=True)
    group[alone] = group.max(initial=0) + 1 + np.arange(len(alone))
    order = np.argsort(group, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    sizes = np.bincount(group)
    first = torch.from_numpy((np.cumsum(sizes) - sizes)[group])
    size, order, rank = (
        torch.from_numpy(sizes[group]),
        torch.from_numpy(order),
        rank - first.numpy(),
    )
    within = torch.from_numpy(rank)

    def others(rows: Int[Tensor, " b"], generator: torch.Generator) -> Int[Tensor, " b"]:
        rows = rows.cpu()
        share = torch.rand(len(rows), generator=generator, device=generator.device).cpu()
        step = 1 + (share * (size[rows] - 1)).long()
        return order[first[rows] + (within[rows] + step) % size[rows]]

    return others


class SoftCon(TwoViews):
    """Learns an encoder of images of any number of bands from rough labels of several classes each.

    Satellite scenes come with land-cover maps that are free and rough: this one has water and
    forest. Two views of a scene find each other as in MoCo, among the keys of a slow teacher and a
    queue; beside that every pair of scenes is made as alike as the classes they share, the cosine
    of their multi-hot labels. The student sees a part of each view only (``masked``). Bands in any
    unit are cut to mean +- 2 standard deviations and brought to 8 bits, in the fit and afterwards
    by the same numbers, which are stored with the model.

    The authors published weights and no training code: weight, temperature and masked share are
    this library's own, as is that the soft contrast compares both views as the student sees them
    (``soft_between``), and neither with the queue. Images without labels take part in MoCo's
    contrast alone. A small convolutional encoder stands in for ResNet-50 and ViT, and starts
    untrained instead of from DINO.

    Verbs: `embed`, `search`, and `classify`, by a linear probe, with a probability of each class
    for itself.
    """

    slug = "softcon"
    Config = SoftConConfig
    Source = BandSource
    Probe = MultiLabelProbe
    presets: ClassVar = PRESETS
    several = True

    scale: BandScale

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Size, bands, copies, and what was left out."""
        return read_bands(data).notes()

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "SoftCon":
        """Learn an encoder, and a probe for `classify`.

        Args:
            images: see `read_bands`.
            labels: the classes of each image as 'water;forest', empty where unknown.
            run: seed, folder and progress.

        Raises:
            InputError: no labels, or fewer than two classes.
        """
        bands = read_bands(images)
        if labels is None:
            raise InputError("softcon: learns from weak labels; name their column with --labels")
        names = labels_of(labels, len(bands))
        self._weak = torch.from_numpy(multi_hot(names)[0]).float()
        self.scale = BandScale.of(bands, self.config.spreads)
        try:
            super().fit(bands.scaled(self.scale), labels=names, run=run)
        finally:
            del self._weak  # of the fit alone
        return self

    def images_of(self, data: Any) -> Images:
        """Bands in 8 bits, by the scale of the fit."""
        if not hasattr(self, "scale"):
            self.need_fit()
        return read_bands(data).scaled(self.scale)

    def graph(self) -> Graph:
        """Bands in their own unit in, the vectors of `embed` and the classes of `classify` out."""
        return band_graph(super().graph(), self.shape, self.scale)

    def views_of(self, images: Images, run: Run) -> Views:  # noqa: ARG002
        """Two views of each image, or of two seasons of its place, each with what the student may
        see of it.
        """
        config = self.config
        other_season = seasons(images.texts(config.place)) if config.place else None

        def seen(rows: Int[Tensor, " b"], generator: torch.Generator) -> Tensor:
            pixels = config.views(images.batch(rows, generator.device), generator)
            return with_mask(pixels, config.masked, config.patch, generator)

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            others = rows if other_season is None else other_season(rows, generator)
            return seen(rows, generator), seen(others, generator)

        return views

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """MoCo's, with a mask on the student's side."""
        assert isinstance(encoder, ImageEncoder)
        return MaskedContrast(encoder, self.config, seed)

    def term(self, encoder: Encoder, images: Images, run: Run) -> Term | None:  # noqa: ARG002
        """The soft contrast."""
        return SoftTerm(self._weak, self.config)

    def learnt(self) -> Learnt:
        """Encoder, probe and the scale of the bands."""
        whole = super().learnt()
        whole.arrays |= {"scale.low": self.scale.low, "scale.high": self.scale.high}
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        super().restore(learnt)
        low, high = (array(learnt.arrays, f"scale.{end}", 1) for end in ("low", "high"))
        demand(len(low) == len(high) and (low < high).all(), "a scale of bands from high to low")
        self.scale = BandScale(low, high)
