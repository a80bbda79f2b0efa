"""Files beside a model's own: changed under a lock, replaced as a whole."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from contraview.core.errors import ContraviewError, InputError
from contraview.core.model_folder import DESCRIPTION

_LOCK: Final = ".living.lock"


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold a model folder's lock while one of these files is read and replaced: the command, the
    watcher and the page may all be at it.

    Raises:
        InputError: the folder holds no model.
        ContraviewError: it cannot be written.
    """
    need_model(folder)
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ContraviewError(f"{folder}: cannot be written: {error.strerror or error}") from None


def need_model(folder: Path) -> None:
    """Refuse a folder that holds no model."""
    if not (folder / DESCRIPTION).is_file():
        raise InputError(f"{folder}: no model; expected a folder written by `contraview fit`")
