"""A file under its name is whole: written beside its place, synced, then renamed into it.

What a crash leaves beside is called ``NAME.partial``; nothing reads it, the next write replaces it.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that mean: no room for what was to be written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the place to write to; what is there takes the name once the block ends well.

    Where it does not, the file of that name is as it was, and nothing is left beside it.

    Raises:
        OSError: the disk is full, say. It names ``path``, which a write's own error does not.
    """
    beside = _beside(path)
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """``value`` as indented JSON."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def write_together(
    contents: Iterable[tuple[Path, bytes]], *, instead_of: Iterable[Path] = ()
) -> None:
    """Write several files; the first takes its name only once all of them are on disk.

    Args:
        contents: path and content of each, in the order in which they take their names.
        instead_of: files that go before that, where they are there.

    Raises:
        OSError: one cannot be written; all names are then as they were.
    """
    paths: list[Path] = []
    try:
        for path, content in contents:
            paths.append(path)
            try:
                _beside(path).write_bytes(content)
                _sync(_beside(path))
            except OSError as error:
                _name(error, path)
                raise
        for path in instead_of:
            path.unlink(missing_ok=True)
        for path in paths:
            _beside(path).replace(path)
    finally:
        for path in paths:
            _beside(path).unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file; a last line that a crash cut short is ended first, and stays apart.

    Raises:
        OSError: it cannot be written; it names ``path``.
    """
    try:
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                cut = file.read(1) != b"\n"
            else:
                cut = False
            file.write(b"\n" * cut + line.encode() + b"\n")
    except OSError as error:
        _name(error, path)
        raise


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _name(error: OSError, path: Path) -> None:
    if error.errno in FULL:
        error.filename = str(path)
