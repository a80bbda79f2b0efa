"""One seed, many independent streams: each use names itself and gets its own generator.

A stream depends on the seed and its name alone, never on what was drawn elsewhere. A resumed run
therefore draws at step n what the uninterrupted run drew, with no generator state to store.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream_seed(seed: int, *name: str | int) -> int:
    """The 63-bit seed of the stream called ``name`` under the run's ``seed``."""
    text = "\x1f".join(map(str, (seed, *name)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, *name: str | int) -> np.random.Generator:
    """A NumPy generator for the stream ``name``."""
    return np.random.default_rng(stream_seed(seed, *name))


def torch_generator(
    seed: int, *name: str | int, device: "torch.device | str" = "cpu"
) -> "torch.Generator":
    """A torch generator for the stream ``name``."""
    import torch

    return torch.Generator(device).manual_seed(stream_seed(seed, *name))
