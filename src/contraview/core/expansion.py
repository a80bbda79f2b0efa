"""How much a small file may become: bombs are refused before they are unpacked.

A gzip stream grows by up to 1,032, a run in a Parquet page or a sparse matrix without bound. Data
that people have grows by less: logs by 10 to 40, sparse features by about 100.
"""

import gzip
import io
import zlib
from typing import Final

from contraview.core.errors import InputError

FREE: Final = 1 << 29
"""Bytes that any file may become."""
RATIO: Final = 200
"""Beyond these, bytes that a byte of the file may become."""


def allowed(stored: int) -> int:
    """The most bytes that a file of ``stored`` bytes may become."""
    return max(FREE, RATIO * stored)


def check_expansion(where: str, stored: int, becomes: int) -> None:
    """Refuse what would grow beyond all measure.

    Args:
        where: the file, and the part of it.
        stored: its bytes.
        becomes: the bytes that reading it would take, as it says itself.

    Raises:
        InputError: more than `allowed`.
    """
    if becomes > allowed(stored):
        raise InputError(
            f"{where}: {stored:,} bytes that would become {becomes:,}; expected at most "
            f"{allowed(stored):,}: no real data is packed so densely"
        )


def inflated(content: bytes, where: str) -> bytes:
    """What a gzip file holds.

    Raises:
        InputError: it is damaged, or grows beyond all measure.
    """
    most = allowed(len(content))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: cannot be read as gzip ({error})") from None
    if len(found) > most:
        raise InputError(
            f"{where}: {len(content):,} bytes that become more than {most:,}; no real data is "
            "packed so densely"
        )
    return found
