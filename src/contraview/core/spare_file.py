"""Room on disk for what does not fit in memory, for as long as it is read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom

from contraview.core.errors import ContraviewError
from contraview.core.whole_file import FULL


@contextmanager
def spare_file(what: str, size: int = 0) -> Iterator[BufferedRandom]:
    """A temporary file without a name, gone with its last reader, whatever way the process ends.

    Args:
        what: is to be kept in it, for the error.
        size: bytes to reserve. A file that is mapped needs that: writing to a map for which there
            is no room ends the process without a word.

    Raises:
        ContraviewError: the disk is full.
    """
    try:
        with tempfile.TemporaryFile(prefix="contraview-") as file:
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            yield file
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ContraviewError(
            f"{tempfile.gettempdir()}: no room for {what} ({error.strerror}); make room, or set "
            "TMPDIR to a folder that has some"
        ) from error
