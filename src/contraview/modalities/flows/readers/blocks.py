"""Text files as blocks of whole lines, inflated on the way where they are gzip."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from contraview.core.errors import InputError

BLOCK: Final = 8 << 20
"""Bytes of text handled at a time; memory does not grow beyond a few of them."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_PACKED_STEP: Final = 1 << 16


class TextFile:
    """A plain or gzip text file, read in blocks that end with a line.

    Attributes:
        cut_short: the gzip data ended early or is damaged; known once all blocks were read. The
            unfinished line at the cut is left out then: its last field cannot be trusted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_short = False

    def magic(self) -> bytes:
        """The first bytes as they are, but inflated."""
        with self.path.open("rb") as file:
            return next(self._pieces(file), b"")[:16]

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes, a few more than ``size``, as `blocks` gives them."""
        found = b""
        with self.path.open("rb") as file:
            for piece in self._pieces(file):
                found += piece
                if len(found) >= size:
                    break
        return plain(found[: 2 * size])

    def blocks(self) -> Iterator[bytes]:
        """The whole text as UTF-8, by whole lines that end with a newline.

        Raises:
            InputError: a line is longer than a block.
        """
        self.cut_short = False
        held: list[bytes] = []
        size = 0
        with self.path.open("rb") as file:
            for piece in self._pieces(file):
                held.append(piece)
                size += len(piece)
                if size < BLOCK:
                    continue
                whole = b"".join(held)
                end = whole.rfind(b"\n") + 1
                if not end:
                    raise InputError(
                        f"{self.path}: a line of more than {BLOCK >> 20} MB; expected a text table"
                    )
                yield plain(whole[:end])
                held, size = [whole[end:]], len(whole) - end
        rest = b"".join(held)
        if self.cut_short:
            rest = rest[: rest.rfind(b"\n") + 1]
        if rest:
            yield plain(rest)

    def _pieces(self, file: BinaryIO) -> Iterator[bytes]:
        start = file.read(2)
        file.seek(0)
        pieces = self._inflated(file) if start == _GZIP else iter(lambda: file.read(1 << 20), b"")
        yield next(pieces, b"").removeprefix(_BOM)
        yield from pieces

    def _inflated(self, file: BinaryIO) -> Iterator[bytes]:
        # zlib itself, not the gzip module: of a file cut short it gives all that is there.
        member = zlib.decompressobj(wbits=31)
        while packed := file.read(_PACKED_STEP):
            while packed:
                try:
                    text = member.decompress(packed)
                except zlib.error:
                    self.cut_short = True
                    return
                if text:
                    yield text
                packed = member.unused_data
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                    if not packed.startswith(_GZIP):
                        packed = b""  # padding after the last member
                        if not file.peek(1):  # type: ignore[attr-defined]
                            return
        self.cut_short = not member.eof


def plain(block: bytes) -> bytes:
    """A block as UTF-8 whose lines end with a newline alone.

    What is no UTF-8 is replaced (old exports hold single bytes of cp1252), and so is a carriage
    return within a line, which some parsers take for its end.
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode(errors="replace").encode()
    return block
