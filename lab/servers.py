"""What the server hosts run: nginx, dropbear, vsftpd, and small servers of the lab's own.

The lab's own servers (database, uploads, push, telemetry, names, time, counters) let the request
say how long the answer shall be, so that the seed of the client decides the traffic.
"""

import asyncio
import hashlib
import os
import random
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab import dns

WEB, TLS, LIVE, UPLOAD, PUSH, TELEMETRY = 80, 443, 8080, 8000, 7000, 1883
SSH, FTP, DATABASE, NAMES, TIME, COUNTERS = 22, 21, 5432, 53, 123, 161
USER, PASSWORD = "lea", "correct-horse"  # of the lab's own accounts, which exist only inside it
_USER_ID = 60_077
OBJECTS = 60

_NGINX = """
daemon off; pid {work}/{name}.pid; error_log /dev/null; user root; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 8m; keepalive_timeout 20; default_type text/plain;
  client_body_temp_path {work}/{name}-body; proxy_temp_path {work}/{name}-proxy;
  fastcgi_temp_path {work}/{name}-fastcgi; uwsgi_temp_path {work}/{name}-uwsgi;
  scgi_temp_path {work}/{name}-scgi;
  server {{
    listen {address}:80 backlog=1024; listen {address}:443 ssl;
    ssl_certificate {work}/lab.crt; ssl_certificate_key {work}/lab.key;
    root {work}/objects; location = /in {{ return 204; }}
  }}
}}
"""

_VSFTPD = """
listen=YES
listen_address={address}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
pasv_min_port=40000
pasv_max_port=40999
secure_chroot_dir={work}/empty
pam_service_name=vsftpd
max_login_fails=3
seccomp_sandbox=NO
isolate_network=NO
"""


async def start(role: str, address: str, work: Path) -> list[asyncio.subprocess.Process]:
    """Starts the servers of the host called `role`; returns the processes among them."""
    processes = []
    await _datagrams(address, COUNTERS, lambda request: request + bytes(request[0] * 4))
    if role in ("web", "cloud"):
        config = work / f"{role}.conf"
        config.write_text(_NGINX.format(work=work, name=role, address=address))
        processes.append(await _program("nginx", "-c", str(config)))
    if role == "web":
        await asyncio.start_server(_live, address, LIVE)
    elif role == "cloud":
        await asyncio.start_server(_requests, address, PUSH)
    elif role == "broker":
        await asyncio.start_server(_requests, address, TELEMETRY)
    elif role == "data":
        await asyncio.start_server(_requests, address, DATABASE)
    elif role == "names":
        await _datagrams(address, NAMES, dns.answer)
        await _datagrams(address, TIME, lambda request: request[:48].ljust(48, b"\1"))
    elif role == "shell":
        processes.append(
            await _program(
                "dropbear", "-F", "-R", "-r", str(work / "dropbear.key"), "-p", f"{address}:{SSH}",
                "-P", str(work / "dropbear.pid"),
            )
        )  # fmt: skip
    elif role == "files":
        config = work / "vsftpd.conf"
        config.write_text(_VSFTPD.format(work=work, address=address))
        processes.append(await _program("vsftpd", str(config)))
        await asyncio.start_server(_uploads, address, UPLOAD)
    return processes


def write_objects(folder: Path, seed: int) -> None:
    """The files that web and FTP serve: sizes heavy-tailed, a few hundred bytes to 90 kB."""
    draw = random.Random(f"objects/{seed}")
    folder.mkdir()
    for number in range(OBJECTS):
        size = min(int(draw.lognormvariate(7.3, 1.3)) + 80, 90_000)
        (folder / f"{number}.bin").write_bytes(draw.randbytes(size))


async def _program(*command: str) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return await asyncio.create_subprocess_exec(
        *command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment
    )


class _Answerer(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes]):
        self.answer = answer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        # A scanner's probe may be no request at all: no answer, as real servers do.
        try:
            reply = self.answer(data)
        except (IndexError, ValueError):
            return
        self.transport.sendto(reply, addr)


async def _datagrams(address: str, port: int, answer: Callable[[bytes], bytes]) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Answerer(answer), local_addr=(address, port))


def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Callable:
    """Ends a connection quietly when the peer does, or after two idle minutes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(300):
                await serve(reader, writer)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            return  # scanners and broken clients are expected guests
        except asyncio.CancelledError:
            return  # the day is over
        finally:
            writer.close()

    return handle


@_serving
async def _requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Requests of three numbers and a body: its length, the answer's, milliseconds to think."""
    while True:
        length, wished, think = struct.unpack(">III", await reader.readexactly(12))
        if length > 1 << 20 or wished > 1 << 20:
            return
        await reader.readexactly(length)
        await asyncio.sleep(min(think, 2000) / 1000)
        writer.write(struct.pack(">I", wished) + bytes(wished))
        await writer.drain()


@_serving
async def _live(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """``GET /chunks/median size/milliseconds``: a chunked answer that takes its time."""
    line = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    chunks, size, wait = (int(part) for part in line.strip("/").split("/"))
    draw = random.Random(hashlib.sha256(line.encode()).digest())
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(min(chunks, 500)):
        body = bytes(min(int(size * draw.lognormvariate(0, 0.4)) + 1, 60_000))
        writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        await writer.drain()
        await asyncio.sleep(wait / 1000 * draw.lognormvariate(0, 0.25))
    writer.write(b"0\r\n\r\n")
    await writer.drain()


@_serving
async def _uploads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a PUT of any size."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    left = int(head.split(b"content-length:")[1].split()[0])
    while left > 0 and (part := await reader.read(min(left, 65_536))):
        left -= len(part)
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


def accounts(work: Path, password_hash: str) -> dict[Path, Path]:
    """Account files of the lab's own, to be mounted over the system's, of which nothing is read."""
    home = work / "home"
    home.mkdir()
    os.chown(home, _USER_ID, _USER_ID)
    lines = {
        "passwd": f"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"
        f"{USER}:x:{_USER_ID}:{_USER_ID}::{home}:/bin/sh\n",
        "group": f"root:x:0:\nnogroup:x:65534:\ntty:x:5:\n{USER}:x:{_USER_ID}:\n",
        "shadow": f"root:*:19000:0:99999:7:::\n{USER}:{password_hash}:19000:0:99999:7:::\n",
    }
    covers = {}
    for name, text in lines.items():
        covers[Path("/etc") / name] = copy = work / name
        copy.write_text(text)
        copy.chmod(0o600 if name == "shadow" else 0o644)
    return covers
