"""Is the embedding still using its space? Four figures of a sample, and when to worry."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pdist

SAMPLE = 256
"""Rows the figures look at: enough to see a collapse, cheap enough to look often."""


def effective_rank(embeddings: Float[Tensor, "n d"]) -> float:
    """How many directions are in use: exp of the entropy of the singular values as shares.

    From 1 (every row on one line through the origin) to min(n, d); 0 where all rows are zero.
    Roy and Vetterli 2007, definition 1; as a measure of embeddings RankMe, Garrido et al. 2023,
    eq. 1 (whose small constants are not needed here). The mean is not taken away, so a collapse
    to one point counts as rank 1.
    """
    values = torch.linalg.svdvals(embeddings.float())
    total = values.sum()
    if total == 0:
        return 0.0
    shares = values / total
    return math.exp(torch.special.entr(shares).sum().item())


def spread(embeddings: Float[Tensor, "n d"]) -> float:
    """Standard deviation of a dimension of the unit rows, mean over dimensions, times sqrt(d).

    About 1 for rows spread evenly over the sphere, 0 for a collapse to one direction.
    Chen and He 2021 (SimSiam), section 4.1.
    """
    unit = normalize(embeddings.float())
    return unit.std(0, correction=0).mean().item() * math.sqrt(unit.shape[1])


def alignment(embeddings: Float[Tensor, "n d"], positives: Float[Tensor, "n d"]) -> float:
    """Mean squared distance of the unit rows to their positives, 0 to 4; lower is closer.

    Wang and Isola 2020, eq. 4 with alpha = 2.
    """
    apart = normalize(embeddings.float()) - normalize(positives.float())
    return apart.square().sum(1).mean().item()


def uniformity(embeddings: Float[Tensor, "n d"]) -> float:
    """How evenly the unit rows fill the sphere: log of the mean of exp(-2 |u - v|^2) over pairs.

    From -8 (two opposite rows) to 0 (all at one point); NaN for a single row. Lower is more even.
    Wang and Isola 2020, eq. 5 with t = 2.
    """
    return pdist(normalize(embeddings.float())).square().mul(-2).exp().mean().log().item()


class CollapseWatch:
    """Looks at samples of the embeddings of one training and says, once, when they collapse."""

    def __init__(self) -> None:
        self._highest = 0.0
        self._warned = False

    @torch.no_grad()
    def look(
        self, embeddings: Float[Tensor, "n d"], positives: Float[Tensor, "n d"] | None = None
    ) -> dict[str, float]:
        """The figures of the first `SAMPLE` rows (a batch is in random order already)."""
        sample = embeddings[:SAMPLE].detach().cpu()
        figures = {
            "dimensions": float(sample.shape[1]),
            "effective_rank": effective_rank(sample),
            "spread": spread(sample),
            "uniformity": uniformity(sample),
        }
        if positives is not None:
            figures["alignment"] = alignment(sample, positives[:SAMPLE].detach().cpu())
        return figures

    def warning(self, figures: dict[str, float]) -> str | None:
        """What to tell the user about these figures; None where all is well or it has been said.

        A collapse is an effective rank below 2 (of 4 dimensions or more), or below a quarter of
        the highest seen so far.
        """
        rank, dimensions = figures["effective_rank"], figures["dimensions"]
        self._highest = max(self._highest, rank)
        low = dimensions >= 4 and rank < 2
        if self._warned or not (low or rank < self._highest / 4):
            return None
        self._warned = True
        return (
            f"the embeddings collapse: effective rank {rank:.1f} of {dimensions:.0f} dimensions "
            f"(highest so far {self._highest:.1f}); try a lower learning rate or larger batches"
        )
