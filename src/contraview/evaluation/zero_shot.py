"""Classes known by their names alone: vectors of prompts become vectors of classes."""

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError


def class_vectors(prompts: Float[np.ndarray, "c t d"]) -> Float[np.ndarray, "c d"]:
    """One unit vector a class from ``t`` prompts of it: each normalised, averaged, normalised.

    CLIP's prompt ensembling (Radford et al. 2021, arXiv 2103.00020, section 3.1.4).
    """
    if not prompts.size:
        raise InputError("no prompts; expected at least one class and one template")
    return _unit(_unit(prompts).mean(1))


def zero_shot(
    vectors: Float[np.ndarray, "n d"], classes: Float[np.ndarray, "c d"], scale: float
) -> Float[np.ndarray, "n c"]:
    """The probability of each class: softmax of ``scale`` times the cosines."""
    logits = scale * (_unit(vectors) @ _unit(classes).T)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def _unit(vectors: Float[np.ndarray, "... d"]) -> Float[np.ndarray, "... d"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)
