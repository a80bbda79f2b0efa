"""Inputs put into the container that a reader opens, with the check sums that it expects.

A fuzzer that has to guess a CRC never comes past it; an attacker computes it.
"""

import io
import struct
import zipfile
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
PARTED = b"\n--member--\n"
"""Parts the members of an archive in an input: a name, a newline, its bytes."""


def picture(content: bytes) -> bytes:
    """A PNG with the CRC that each of its chunks should have; anything else as it is."""
    if not content.startswith(_PNG):
        return content
    made, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 8 + length
        if end + 4 > len(content):
            break
        made += [content[at:end], struct.pack(">I", zlib.crc32(content[at + 4 : end]))]
        at = end + 4
    return b"".join([*made, content[at:]])


def members(content: bytes) -> list[tuple[str, bytes]]:
    """The members that an input describes."""
    found = []
    for part in content.split(PARTED):
        name, _, body = part.partition(b"\n")
        found.append((name.decode("latin-1").replace("\0", "0") or "x", body))
    return found


def parted(named: dict[str, bytes]) -> bytes:
    """The input that describes these members."""
    return PARTED.join(name.encode() + b"\n" + body for name, body in named.items())


def archive(content: bytes) -> bytes:
    """A zip of the members of an input, each name with .npy; a zip stays as it is."""
    return _zip(content, ".npy")


def furniture(content: bytes) -> bytes:
    """As `archive`, names as they are."""
    return _zip(content, "")


def _zip(content: bytes, suffix: str) -> bytes:
    if content.startswith(b"PK"):
        return content
    made = io.BytesIO()
    seen: set[str] = set()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as file:
        for name, body in members(content):
            if name not in seen:
                seen.add(name)
                file.writestr(zipfile.ZipInfo(name + suffix), body)
    return made.getvalue()
