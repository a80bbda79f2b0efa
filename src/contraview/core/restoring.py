"""A model folder's content is input: what it makes a system build is bounded by what it holds.

A network is built from settings and facts before its weights are set. Whoever writes
``"width": 1000000000`` into a folder of a kilobyte would have it built.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import polars as pl
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from contraview.core.errors import ContraviewError, InputError
from contraview.core.learnt import Learnt
from contraview.core.reading import PANIC, first_line

FREE_BYTES: Final = 1 << 28
FREE_TENSORS: Final = 20_000
TIMES: Final = 16
"""A system may make so many times the bytes, and the tensors, that its folder holds: initial
weights that are overwritten, halves of a network that only training needs.
"""
_DAMAGED: Final = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    AssertionError,
    pl.exceptions.PolarsError,
    PANIC,
)
"""What code that takes up arrays and facts raises where these are not what it wrote."""


@contextmanager
def restoring(slug: str, learnt: Learnt) -> Iterator[None]:
    """Within it, a system takes up what a folder holds.

    Raises:
        InputError: the folder's parts do not fit each other, or ask for a network that is beyond
            all measure larger than its weights.
    """
    try:
        with _Bounded(slug, learnt):
            yield
    except ContraviewError:
        raise
    except _DAMAGED as error:
        what = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(
            f"{slug}: the model's settings, facts and weights do not fit each other ({what}); "
            "fit it again"
        ) from error


class _Bounded(TorchDispatchMode):
    """Adds up the tensors that are made, and refuses one too many before it is."""

    def __init__(self, slug: str, learnt: Learnt) -> None:
        super().__init__()
        self._slug = slug
        stored = sum(array.nbytes for array in learnt.arrays.values())
        self._bytes = FREE_BYTES + TIMES * stored
        self._tensors = FREE_TENSORS + TIMES * len(learnt.arrays)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation of torch passes here."""
        kwargs = kwargs or {}
        size = args[0] if args and isinstance(args[0], list | tuple) else None
        if size is not None and all(isinstance(side, int) for side in size):
            self._take(8 * math.prod(size))
        elif func is torch.ops.aten.arange.default or func is torch.ops.aten.arange.start:
            ends = [end for end in args if isinstance(end, int | float)]
            self._take(int(8 * abs(ends[-1] - (ends[0] if len(ends) > 1 else 0))))
        return func(*args, **kwargs)

    def _take(self, more: int) -> None:
        self._bytes -= more
        self._tensors -= 1
        if self._bytes < 0 or self._tensors < 0:
            raise InputError(
                f"{self._slug}: its settings ask for a network far larger than the weights that "
                "the folder holds; expected settings and weights of one fit"
            )
