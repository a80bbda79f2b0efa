"""How generated items compare with real ones, in the space of any encoder."""

import numpy as np
from jaxtyping import Float, Int

from contraview.core.errors import InputError


def frechet_distance(real: Float[np.ndarray, "n d"], made: Float[np.ndarray, "m d"]) -> float:
    """Distance of two sets of embeddings, each taken as a normal distribution.

    |mean - mean'|^2 + trace(S + S' - 2 (S S')^(1/2)) (Heusel et al. 2017, arXiv 1706.08500, eq. 6;
    with an Inception network's embeddings it is the FID). It falls with the number of items, so
    compare sets of one size alone, in one encoder.
    """
    if len(real) < 2 or len(made) < 2:
        raise InputError(f"{len(real)} and {len(made)} items; expected at least 2 of each")
    shift = real.mean(0) - made.mean(0)
    one, other = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (real, made))
    # The trace of a root of S S' is that of the root of S^(1/2) S' S^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return float(shift @ shift + np.trace(one) + np.trace(other) - 2 * shared)


def found_again(
    made: Float[np.ndarray, "m d"],
    references: Float[np.ndarray, "n d"],
    owners: Int[np.ndarray, " m"],
    among: int,
) -> float:
    """Share of items whose reference is the most similar of ``among`` by cosine; chance 1 / among.

    References are taken in order, ``among`` at a time; a rest that does not fill a group is left
    out with what was made from it.

    Args:
        made: embeddings of the generated items.
        references: embeddings of what they were made from.
        owners: the number of each item's reference.
        among: references to choose from.
    """
    groups = len(references) // among
    if not groups:
        raise InputError(f"{len(references)} references; expected at least {among}")
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (made, references))
    right: list[np.ndarray] = []
    for group in range(groups):
        start = group * among
        mine = (owners >= start) & (owners < start + among)
        best = (one[mine] @ other[start : start + among].T).argmax(1) + start
        right.append(best == owners[mine])
    return float(np.concatenate(right).mean())
