"""Directions: what every cosine is made of."""

import torch
from jaxtyping import Float
from torch import Tensor


def unit(vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Scale each row to length one, in float32 or better.

    A zero row has no direction: it stays zero and gets no gradient, where dividing by a small
    epsilon would hand it one of 1e12.
    """
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors * length.masked_fill(length == 0, torch.inf).reciprocal()
