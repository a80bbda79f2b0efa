"""Initial weights from the run's seed."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from contraview.core.seeds import stream_seed

M = TypeVar("M", bound=nn.Module)


def fresh(make: Callable[[], M], seed: int, *name: str | int) -> M:
    """The module that ``make`` builds, with the initial weights of the stream ``name``.

    torch initialises from its global generator; this seeds it for the call and puts it back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, *name))
        return make()
