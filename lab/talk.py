"""How clients talk: waits, sizes, HTTP, and the lab's own length-prefixed requests."""

import asyncio
import math
import struct
from asyncio import StreamReader, StreamWriter
from random import Random

_AGENTS = ("curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")


async def think(draw: Random, median: float, spread: float = 0.8) -> None:
    """Waits a log-normal time with this median in seconds."""
    await asyncio.sleep(draw.lognormvariate(math.log(median), spread))


def heavy(draw: Random, median: float, spread: float, most: int) -> int:
    """A log-normal size, at least 1 and at most `most`."""
    return max(1, min(int(draw.lognormvariate(math.log(median), spread)), most))


async def http(
    stream: tuple[StreamReader, StreamWriter],
    draw: Random,
    path: str,
    *,
    body: bytes | None = None,
    keep: bool = True,
) -> None:
    """One request and its whole answer (with a length, or none: 204)."""
    reader, writer = stream
    cookie = "c=" + "x" * draw.randrange(0, 220)
    lines = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        "Host: lab",
        f"User-Agent: {draw.choice(_AGENTS)}",
        f"Cookie: {cookie}",
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length:" in head:
        await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))


async def framed(
    stream: tuple[StreamReader, StreamWriter], request: int, answer: int, think_ms: int = 0
) -> None:
    """One request of the lab's own length-prefixed servers, and its answer."""
    reader, writer = stream
    writer.write(struct.pack(">III", request, answer, think_ms) + bytes(request))
    await writer.drain()
    await reader.readexactly(4 + answer)
