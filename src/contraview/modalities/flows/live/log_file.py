"""One file of a log: its bytes, plain or packed, and how it is known again."""

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

HEAD: Final = 1 << 16
"""A file is known by its first bytes, at most this many: names and inodes are used again."""
_GZIP: Final = b"\x1f\x8b"


class LogFile:
    """One open file of a log, plain or gzip.

    Attributes:
        path_is_live: it is the file that bears the log's name.
        inode: of the file.
        head: its first bytes, as far as they have been read.
        offset: bytes read, unpacked.
        failed: the rest of it cannot be unpacked.
    """

    def __init__(self, path: Path, offset: int, *, path_is_live: bool) -> None:
        self.path_is_live = path_is_live
        self._raw: BinaryIO = path.open("rb")
        status = path.stat()
        self.inode = status.st_ino
        self.failed = False
        self._packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        self._plain: Any = gzip.GzipFile(fileobj=self._raw) if self._packed else self._raw
        self.head = b""
        self.offset = 0
        known = offset if self._packed else min(offset, HEAD)
        while self.offset < known and self.read(min(known - self.offset, 1 << 20)):
            pass
        if offset > self.offset and not self._packed:
            self._raw.seek(offset)
            self.offset = offset

    @property
    def modified(self) -> int:
        """When it was last written (ns since 1970)."""
        return os.fstat(self._raw.fileno()).st_mtime_ns

    def read(self, size: int) -> bytes:
        """More bytes; empty where there are none."""
        try:
            data = self._plain.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.failed = True
            return b""
        if len(self.head) < HEAD:
            self.head += data[: HEAD - len(self.head)]
        self.offset += len(data)
        return data

    def behind(self) -> int:
        """Bytes not read yet."""
        return max(os.fstat(self._raw.fileno()).st_size - self._raw.tell(), 0)

    def close(self) -> None:
        """Close it."""
        self._raw.close()


def first_bytes(path: Path) -> bytes | None:
    """The first bytes of a file, unpacked; None where it is gone or damaged."""
    try:
        file = LogFile(path, 0, path_is_live=False)
    except FileNotFoundError:
        return None
    try:
        while len(file.head) < HEAD and file.read(HEAD - len(file.head)):
            pass
        return None if file.failed and not file.head else file.head
    finally:
        file.close()


def digest(head: bytes) -> str:
    """What is remembered of the first bytes of a file."""
    return hashlib.sha256(head).hexdigest()


def digests(paths: list[Path]) -> list[str]:
    """The `digest` of each file that can be read and holds something."""
    return [digest(head) for path in paths if (head := first_bytes(path))]
