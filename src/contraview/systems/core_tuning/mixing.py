"""Mixed features: which rows are mixed, by how much, and what class the mixture has."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from contraview.objectives.unit import unit
from contraview.systems.core_tuning.config import CoreTuningConfig, Parity


class Mixed(NamedTuple):
    """Features with soft labels: the originals, then the mixed negatives, then the positives."""

    features: Float[Tensor, "m d"]
    soft: Float[Tensor, "m k"]


class Draw(NamedTuple):
    """What chance decides in a batch of n.

    Attributes:
        partner: [n], a permutation: whom each row's mixed negative is made with.
        negative: [n], the share of the partner, not below ``least``.
        positive: [n], the share of the hardest positive in the mixed positive.
    """

    partner: Int[Tensor, " n"]
    negative: Float[Tensor, " n"]
    positive: Float[Tensor, " n"]

    @classmethod
    def of(cls, rows: int, config: CoreTuningConfig, generator: torch.Generator) -> "Draw":
        """Draw all of it from ``generator``, which seeds NumPy's: torch's Beta takes none."""
        device = generator.device
        seed = int(torch.randint(2**62, (1,), generator=generator, device=device))
        shares = np.random.default_rng(seed).beta(config.alpha, config.alpha, (2, rows))
        negative, positive = torch.from_numpy(shares).float().to(device)
        partner = torch.randperm(rows, generator=generator, device=device)
        return cls(partner, negative.clamp(min=config.least), positive)


def hardest(
    features: Float[Tensor, "n d"], targets: Int[Tensor, " n"], parity: Parity
) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    """For each row the row of its class that is least like it, and that of another most like it.

    Likeness is the cosine. A row without another of its class, or without another class in the
    batch, is its own.

    ``code`` searches as the official code does: pairs of other classes count as cosine 0 when the
    least is looked for, which is where it is nearly always found, for features behind a ReLU have
    no cosine below 0; what is found at row 0 is replaced by the row itself, other rows stay, of
    whatever class. So the positive is mostly the row itself.
    """
    z = unit(features.detach())
    likeness = z @ z.T
    own = torch.arange(len(z), device=z.device)
    same = targets[:, None] == targets
    other = same.clone().fill_diagonal_(False)
    if parity == "code":
        positive = (likeness * other).argmin(1)
        return torch.where(positive == 0, own, positive), (likeness * ~same).argmax(1)
    positive = likeness.masked_fill(~other, torch.inf).argmin(1)
    negative = likeness.masked_fill(same, -torch.inf).argmax(1)
    return (
        torch.where(other.any(1), positive, own),
        torch.where((~same).any(1), negative, own),
    )


def mixed(
    features: Float[Tensor, "n d"],
    targets: Int[Tensor, " n"],
    classes: int,
    draw: Draw,
    parity: Parity = "paper",
) -> Mixed:
    """The batch that Core-tuning learns from: 3n features.

    Originals f_i enter without gradient to the encoder, as in the official code, so the encoder
    learns from mixtures alone: ``(1 - l) f_i + l f_partner`` with l not below 0.8, and
    ``l f_hp + (1 - l) f_hn`` of the hardest positive and the hardest negative of row i.
    """
    positive, negative = hardest(features, targets, parity)
    first, second = torch.cat([draw.partner, positive]), torch.cat([
        torch.arange(len(targets), device=targets.device), negative,
    ])  # fmt: skip
    share = torch.cat([draw.negative, draw.positive])
    made = share[:, None] * features[first] + (1 - share)[:, None] * features[second]
    return Mixed(
        torch.cat([features.detach(), made]),
        torch.cat([
            one_hot(targets, classes).to(share.dtype),
            soft_labels(targets[first], targets[second], share, classes),
        ]),
    )  # fmt: skip


def soft_labels(
    first: Int[Tensor, " n"], second: Int[Tensor, " n"], share: Float[Tensor, " n"], classes: int
) -> Float[Tensor, "n k"]:
    """``share`` of the first class and the rest of the second; of equal classes, exactly one."""
    rows = torch.arange(len(first), device=first.device)
    soft = share.new_zeros(len(first), classes)
    soft[rows, second] = 1 - share
    soft[rows, first] = torch.where(first == second, torch.ones_like(share), share)
    return soft


def groups_of(soft: Float[Tensor, "m k"]) -> Int[Tensor, " m"]:
    """A number for each different soft label, compared exactly.

    The official code compares sums of label times power of ten in float32, in which labels of more
    than some seven classes collide.
    """
    return torch.unique(soft, dim=0, return_inverse=True)[1]
