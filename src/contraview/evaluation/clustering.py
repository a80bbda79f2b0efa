"""How well groups found without labels agree with known classes; none depends on group names."""

import numpy as np
from jaxtyping import Int, Shaped

from contraview.core.errors import InputError


def matched(
    truth: Shaped[np.ndarray, " n"], found: Shaped[np.ndarray, " m"]
) -> Int[np.ndarray, " n"]:
    """Each row's group as the class it is matched to, one to one, with the most rows agreeing.

    The Hungarian matching (Kuhn 1955). Classes are numbered in sorted order; rows of a group
    without a class get a number of their own.
    """
    from scipy.optimize import linear_sum_assignment

    if len(truth) != len(found) or not len(truth):
        raise InputError(f"{len(truth)} classes and {len(found)} groups; expected one each a row")
    _, classes = np.unique(truth, return_inverse=True)
    _, groups = np.unique(found, return_inverse=True)
    size = max(classes.max(), groups.max()) + 1
    table = np.zeros((size, size), dtype=np.int64)
    np.add.at(table, (groups, classes), 1)
    rows, columns = linear_sum_assignment(-table)
    return columns[np.argsort(rows)][groups]


def clustering_figures(
    truth: Shaped[np.ndarray, " n"], found: Shaped[np.ndarray, " n"]
) -> dict[str, float]:
    """ACC and macro F1 after the best one-to-one matching, NMI (arithmetic mean), adjusted Rand."""
    from sklearn.metrics import adjusted_rand_score, f1_score, normalized_mutual_info_score

    _, codes = np.unique(truth, return_inverse=True)
    named = matched(truth, found)
    return {
        "ACC": float((named == codes).mean()),
        "NMI": float(normalized_mutual_info_score(codes, found)),
        "ARI": float(adjusted_rand_score(codes, found)),
        "macro F1": float(f1_score(codes, named, average="macro", labels=np.unique(codes))),
    }
