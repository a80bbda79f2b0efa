"""The margin losses of CLAN and its supervised sibling CLAD: one tight cluster, the rest away."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean
from contraview.objectives.pair_sum import Term, pair_sum
from contraview.objectives.unit import unit

ACTIVE = 1e-6  # a distance or a hinge above this counts in the averages (the official eps)


def clan_loss(
    benign: Float[Tensor, "n d"],
    corrupted: Float[Tensor, "m d"],
    *,
    margin: float = 0.5,
    balance: float = 0.5,
    squared: bool = False,
) -> Float[Tensor, ""]:
    """Draw benign rows together and push corrupted ones at least `margin` away from each of them.

    With d(a, b) = (1 - cos(a, b)) / 2, between 0 and 1::

        balance · L_pos + (1 - balance) · L_neg
        L_pos = Σ_ij d(z_i, z_j)                  / #{ij : d > 1e-6}
        L_neg = Σ_ij max(0, margin - d(z_i, z'_j)) / #{ij : margin - d > 1e-6}

    Both average over the pairs that still ask for something; a term without such a pair is zero
    with zero gradient. A margin of 0.5 lets go of a corrupted row once it is orthogonal.

    CLAN, Wilkie et al. 2025, DOI 10.1109/CSR64739.2025.11129979, as its official loss/clan_loss.py
    computes it (alpha is `balance`, m is `margin`). Here the numerator of L_pos is its closed form
    n/2 · Σ_i |u_i - mean u|², u the unit vectors, which loses no digits in a tight cluster.

    Across processes: benign rows meet the benign and corrupted rows of all processes; sums and
    counts of each term are added up, then divided.

    Args:
        benign: [n, d], embeddings of the rows as they are; any length, normalised here.
        corrupted: [m, d], embeddings of corrupted copies; m is free.
        margin: m, in units of d.
        balance: alpha, the share of the first term.
        squared: square each distance and each hinge before summing. Pairs are still counted by the
            distance itself (the official code compares the square with its eps).

    Raises:
        InputError: a margin that is not positive, or a balance outside 0 to 1.
    """
    if not margin > 0:
        raise InputError(f"margin is {margin}: expected a number above 0")
    if not 0 <= balance <= 1:
        raise InputError(f"balance is {balance}: expected a number from 0 to 1")
    u = unit(benign)
    everyone = gather(u)[0]
    corrupted = gather(unit(corrupted))[0]
    together = mean(*_spread(u, everyone, squared=squared))
    hinge = _ramp(slope=0.5, start=margin - 0.5, squared=squared)
    apart = mean(*pair_sum(u, corrupted, hinge, counted_above=_active(squared)))
    return balance * together + (1 - balance) * apart


def clad_loss(
    embeddings: Float[Tensor, "n d"],
    attack: Bool[Tensor, " n"],
    *,
    margin: float = 1.0,
    balance: float = 0.5,
    squared: bool = True,
) -> Float[Tensor, ""]:
    """Draw benign rows together and push known attacks at least `margin` away from each of them.

    `clan_loss` with real attacks in the place of corrupted copies: pairs of attacks are never
    compared. CLAD, Wilkie et al. 2026, DOI 10.1109/TNSM.2026.3652529, as its official
    losses/clad_loss.py computes it, with its defaults. Differs: pairs count from a distance of 1e-6
    (official: 1e-8, below float32's resolution, and for hinges after squaring). Across processes:
    as `clan_loss`.

    Args:
        embeddings: [n, d]; any length, normalised here.
        attack: [n], True where the row is an attack. A batch without attacks, or without benign
            rows, leaves the term that needs them at zero.
        margin: m, in units of (1 - cos) / 2.
        balance: alpha, the share of the benign term.
        squared: square distances and hinges.

    Raises:
        InputError: a margin that is not positive, or a balance outside 0 to 1.
    """
    return clan_loss(
        embeddings[~attack], embeddings[attack], margin=margin, balance=balance, squared=squared
    )


def _spread(u: Tensor, everyone: Tensor, *, squared: bool) -> tuple[Tensor, Tensor]:
    """Sum of d, or its square, from each row of `u` to `everyone`; and how many pairs count."""
    distance = _ramp(slope=-0.5, start=0.5, squared=squared)
    keys = None if everyone is u else everyone
    if squared:
        return pair_sum(u, keys, distance, counted_above=_active(squared))
    with torch.no_grad():
        count = pair_sum(u, keys, distance, counted_above=_active(squared))[1]
    # Σ_ij |u_i - u_j|² = 2n Σ_i |u_i - mean u|², and d = |u_i - u_j|² / 4 for unit vectors.
    total = len(everyone) / 2 * (u - everyone.mean(0)).square().sum()
    return total, count


def _ramp(*, slope: float, start: float, squared: bool) -> Term:
    """max(0, start + slope · cosine), or its square, with derivatives."""

    def term(cosines: Tensor) -> tuple[Tensor, Tensor]:
        ramp = cosines.mul_(slope).add_(start).clamp_(min=0)
        if squared:
            return ramp.square(), 2 * slope * ramp
        return ramp, slope * ramp.sign()

    return term


def _active(squared: bool) -> float:
    return ACTIVE**2 if squared else ACTIVE
