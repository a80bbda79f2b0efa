"""Bytes from a pipe: what has come, without waiting for more than that."""

import os
import select
from typing import Final

PIECE: Final = 1 << 20


class Pipe:
    """A file descriptor that is read as bytes come."""

    def __init__(self, descriptor: int, name: str = "stdin") -> None:
        self.name = name
        self._descriptor = descriptor
        self._ahead = b""

    def peek(self, size: int = 4) -> bytes:
        """The first bytes, waited for; fewer where the pipe ends before."""
        while len(self._ahead) < size and (more := os.read(self._descriptor, PIECE)):
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int, wait: float) -> bytes | None:
        """Bytes; empty at the end, None where none came within ``wait`` seconds."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        ready, _, _ = select.select([self._descriptor], [], [], wait)
        if not ready:
            return None
        parts, held = [], 0
        # All that waits, so that a fast writer is not met by many small steps.
        while ready and held < size:
            data = os.read(self._descriptor, min(PIECE, size - held))
            if not data:
                break
            parts.append(data)
            held += len(data)
            ready, _, _ = select.select([self._descriptor], [], [], 0)
        return b"".join(parts)
