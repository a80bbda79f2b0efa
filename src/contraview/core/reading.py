"""What other libraries raise for data that cannot be decoded, as the user's wrong input."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError

PANIC: Final[Any] = pl.exceptions.PanicException
"""An assertion of polars' Rust code that damaged data broke; no `Exception` to Python."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Within it, data that polars or the system cannot read is an `InputError` that names it."""
    try:
        yield
    except (pl.exceptions.PolarsError, PANIC, OSError, MemoryError) as error:
        raise InputError(f"{name}: cannot be read: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """What an error says, without the advice that follows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
