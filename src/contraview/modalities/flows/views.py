"""Corruptions of standardised rows: batched, each from an explicit generator.

Every corruption takes a matrix of rows and returns a new one in which each cell was altered with
probability ``p_feature``, in each row with probability ``p_sample``. CLAN's official code ships
these (CLAN card, section Pairs); `marginal` is SCARF's (Bahri et al. 2022, arXiv:2106.15147).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

COLUMNS_TO_ALTER = 18


def expected_share(columns: int) -> float:
    """The share of cells that alters about 18 columns a row: clip(18 / columns, .1, .6).

    A fixed share of .1 alters 7 of Lycos2017's 72 columns but 3 of NSL-KDD's 34, and fails there;
    in pilot runs on three data sets about 18 altered columns served best.
    """
    return min(max(COLUMNS_TO_ALTER / columns, 0.1), 0.6)


def cells(
    rows: Float[Tensor, "n d"], generator: torch.Generator, *, p_feature: float, p_sample: float
) -> Bool[Tensor, "n d"]:
    """Which cells to alter."""
    some = _uniform(rows, generator) < p_feature
    if p_sample >= 1:
        return some
    return some & (_uniform(rows[:, :1], generator) < p_sample)


def uniform(
    rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"], generator: torch.Generator, span: float
) -> Float[Tensor, "n d"]:
    """Replace by a fresh draw from the uniform distribution on [-span, span]."""
    return torch.where(mask, (2 * _uniform(rows, generator) - 1) * span, rows)


def gaussian(
    rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"], generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """Replace by a fresh standard normal draw."""
    return torch.where(mask, _normal(rows, generator), rows)


def jitter(
    rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"], generator: torch.Generator, sd: float
) -> Float[Tensor, "n d"]:
    """Add normal noise of standard deviation ``sd``."""
    return torch.where(mask, rows + sd * _normal(rows, generator), rows)


def zero(rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Replace by zero, the benign mean."""
    return rows.masked_fill(mask, 0.0)


def marginal(
    rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"], generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """Replace by the same column of a random row of the batch."""
    donors = torch.randint(len(rows), rows.shape, generator=generator, device=rows.device)
    return torch.where(mask, rows.gather(0, donors), rows)


def shuffle(
    rows: Float[Tensor, "n d"], mask: Bool[Tensor, "n d"], generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """Replace by the same row's value of another column; one permutation for the whole batch."""
    order = torch.randperm(rows.shape[1], generator=generator, device=rows.device)
    return torch.where(mask, rows[:, order], rows)


def mix(
    rows: Float[Tensor, "n d"],
    mask: Bool[Tensor, "n d"],
    generator: torch.Generator,
    *,
    p_mixup: float,
    ratio: float,
) -> Float[Tensor, "n d"]:
    """Combine with a random other row: mixup with probability ``p_mixup``, else cutmix.

    Mixup gives ``ratio * row + (1 - ratio) * other`` in the masked cells, cutmix takes each masked
    cell from the other row with probability ``1 - ratio``. The coin is tossed once a row.
    """
    other = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]
    blended = ratio * rows + (1 - ratio) * other
    pasted = torch.where(_uniform(rows, generator) < 1 - ratio, other, rows)
    mixup = _uniform(rows[:, :1], generator) < p_mixup
    return torch.where(mask, torch.where(mixup, blended, pasted), rows)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
