"""On several processes each row gets the random numbers that it would get on one."""

from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LARGEST: Final = 2**22
"""Numbers that a process draws at once for the rows of all; 16 MiB, about 20 ms of a core."""


class RowDraws(TorchFunctionMode):
    """While active, draws for this process's rows are cut out of the draws for the whole batch.

    A step's views come from one generator, seeded alike on all processes. Where `torch.rand`,
    `torch.randn` or `torch.randint` is asked for a number (or more) for each row of this process,
    they are drawn for all rows of the batch, as one process would, and those of this process's rows
    are given. So views do not depend on the number of processes.

    What is not of the rows (a permutation, one number for all, a count that the data decide) and
    what would be more than `LARGEST` numbers comes from a generator of this process's own.

    Args:
        shared: the step's generator, as the loss gets it.
        own: this process's.
        first: place of this process's first row in the batch.
        rows: of this process.
        batch: rows of all processes.
    """

    def __init__(
        self, shared: torch.Generator, own: torch.Generator, *, first: int, rows: int, batch: int
    ) -> None:
        super().__init__()
        self.shared, self.own = shared, own
        self.first, self.rows, self.batch = first, rows, batch

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Draw for all rows where it is asked for the rows of this process."""
        kwargs = kwargs or {}
        if kwargs.get("generator") is not self.shared:
            return func(*args, **kwargs)
        if func in (torch.rand, torch.randn, torch.randint):
            bounds, shape = _asked(func, args, kwargs)
            if (whole := self._whole(shape)) is not None:
                rest = {key: value for key, value in kwargs.items() if key != "size"}
                return self._cut(func(*bounds, whole, **rest), shape)
        return func(*args, **{**kwargs, "generator": self.own})

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape for all rows; None where ``shape`` is not one of this process's rows."""
        whole = list(shape)
        if shape[:1] == (self.rows,):
            whole[0] = self.batch
        elif shape[1:2] == (self.rows,):
            whole[1] = self.batch
        elif shape and shape[0] and shape[0] % self.rows == 0:  # several views, one below the other
            whole[0] = shape[0] // self.rows * self.batch
        elif shape and 2 * shape[0] == self.rows:  # rows that come in pairs
            whole[0] = self.batch // 2
        else:
            return None
        return tuple(whole) if torch.Size(whole).numel() <= LARGEST else None

    def _cut(self, drawn: Tensor, shape: tuple[int, ...]) -> Tensor:
        if shape[0] != self.rows and shape[1:2] == (self.rows,):
            return drawn.narrow(1, self.first, self.rows).contiguous()
        if 2 * shape[0] == self.rows:
            return drawn.narrow(0, self.first // 2, shape[0])
        views = drawn.unflatten(0, (-1, self.batch))
        return views.narrow(1, self.first, self.rows).flatten(0, 1)


def _asked(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
    """The bounds of a draw, for `torch.randint`, and its shape."""
    given = list(args)
    if "size" in kwargs:
        size = kwargs["size"]
    elif func is torch.randint or (given and not isinstance(given[0], int)):
        size = given.pop()
    else:
        size, given = given, []
    return given, tuple(size)
