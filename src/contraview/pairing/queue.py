"""A queue of earlier keys: more negatives than a batch holds (MoCo)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize


class KeyQueue(nn.Module):
    """The last ``size`` keys, first in first out, as buffers, so that a checkpoint holds them.

    Empty places hold nothing: `keys` gives those that have been filled, so early steps do not
    compare with random vectors, as the official MoCo queue does.

    Args:
        size: keys to hold; any number, batches need not divide it.
        width: of a key.
    """

    stored: Tensor
    count: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("stored", torch.zeros(size, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def keys(self) -> Float[Tensor, "k d"]:
        """The keys there are, in no order that matters; no gradient flows through them."""
        return self.stored[: min(int(self.count), len(self.stored))].clone()

    @torch.no_grad()
    def push(self, keys: Float[Tensor, "n d"], *, unit: bool = True) -> None:
        """Take in ``keys``, the oldest ones leave; made unit vectors unless told otherwise."""
        size, start = len(self.stored), int(self.count)
        newest = keys.detach()[-size:]
        places = (start + len(keys) - len(newest) + torch.arange(len(newest))) % size
        self.stored[places.to(self.stored.device)] = normalize(newest) if unit else newest
        self.count += len(keys)
