"""How often a hidden trigger works."""

import numpy as np
from jaxtyping import Shaped

from contraview.core.errors import InputError


def attack_success_rate(
    predicted: Shaped[np.ndarray, " n"], truth: Shaped[np.ndarray, " n"], target: str
) -> float:
    """The share of triggered images of *other* classes that are taken for the target.

    Images of the target class say nothing: they are left out.

    Args:
        predicted: the class that each triggered image is taken for.
        truth: the class it is of.
        target: the class that the trigger is meant to lead to.
    """
    others = truth != target
    if not others.any():
        raise InputError(f"no image of a class other than {target!r}; expected at least one")
    return float((predicted[others] == target).mean())
