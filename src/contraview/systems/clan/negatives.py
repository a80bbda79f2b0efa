"""Where CLAN's negatives come from: corrupted copies, and benign rows drawn evenly by region."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.seeds import stream_seed
from contraview.modalities.flows import views
from contraview.modalities.flows.features import FeatureMap
from contraview.systems.clan.config import ClanConfig


@dataclass(frozen=True)
class Corrupter:
    """Alters standardised rows as the settings say.

    Attributes:
        owner: for each matrix column the index of its source column.
        numeric: how many source columns are numeric; they come first.
    """

    config: ClanConfig
    owner: Int[Tensor, " d"]
    numeric: int

    @classmethod
    def of(cls, config: ClanConfig, features: FeatureMap) -> "Corrupter":
        """The corrupter for the matrix that ``features`` makes."""
        return cls(config, torch.from_numpy(features.owner), len(features.numeric))

    @cached_property
    def p_feature(self) -> float:
        """The share of cells altered; columns are counted before categories become indicators."""
        if self.config.p_feature is not None:
            return self.config.p_feature
        return views.expected_share(int(self.owner.max()) + 1)

    def __call__(
        self, rows: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """A corrupted copy of ``rows``."""
        altered = rows
        for name in self.config.corruption:
            altered = self._apply(name, altered, generator)
        categorical = self.owner >= self.numeric
        if self.config.categories == "uniform" or not categorical.any():
            return altered
        if self.config.categories == "keep":
            return torch.where(categorical, rows, altered)
        return torch.where(categorical, self._resampled(rows, generator), altered)

    def _apply(
        self, name: str, rows: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        config = self.config
        mask = views.cells(rows, generator, p_feature=self.p_feature, p_sample=config.p_sample)
        match name:
            case "uniform":
                return views.uniform(rows, mask, generator, config.span)
            case "gaussian":
                return views.gaussian(rows, mask, generator)
            case "jitter":
                return views.jitter(rows, mask, generator, config.jitter)
            case "zero":
                return views.zero(rows, mask)
            case "marginal":
                return views.marginal(rows, mask, generator)
            case "shuffle":
                return views.shuffle(rows, mask, generator)
            case _:
                return views.mix(
                    rows, mask, generator, p_mixup=config.mix_mixup, ratio=config.mix_ratio
                )

    def _resampled(
        self, rows: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """Whole categories from other rows: the indicators of one source column move together."""
        sources = int(self.owner.max()) + 1
        like = rows.new_empty(len(rows), sources)
        mask = views.cells(
            like, generator, p_feature=self.p_feature, p_sample=self.config.p_sample
        )[:, self.owner]
        donors = torch.randint(len(rows), like.shape, generator=generator)[:, self.owner]
        return torch.where(mask, rows.gather(0, donors), rows)


class MassNegatives:
    """Draws benign rows evenly over the regions they live in, however few live there.

    A log of a million identical heart-beats has one dense region; pushing every region away
    equally often makes the score follow density and not only direction.
    """

    def __init__(self, rows: Float[Tensor, "n d"], clusters: int, seed: int) -> None:
        from sklearn.cluster import MiniBatchKMeans

        clusters = min(clusters, len(rows))
        draw = stream_seed(seed, "mass") % 2**32
        means = MiniBatchKMeans(clusters, n_init="auto", random_state=draw, batch_size=4096)
        region = means.fit_predict(rows.clamp(-8, 8).numpy())
        self._order = torch.from_numpy(np.argsort(region, kind="stable"))
        sizes = torch.from_numpy(np.bincount(region, minlength=clusters))
        starts = sizes.cumsum(0) - sizes
        held = sizes > 0
        self._sizes, self._starts = sizes[held], starts[held]

    def draw(self, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
        """Indices of ``count`` rows: a region by even chance, then a row of it by even chance."""
        region = torch.randint(len(self._sizes), (count,), generator=generator)
        place = (torch.rand(count, generator=generator) * self._sizes[region]).long()
        return self._order[self._starts[region] + place]
