"""The only ways in which a generator reaches another host.

Each door passes the guard, ends by a deadline, and writes down what it opened: that record is the
truth the flows are labelled with.
"""

import asyncio
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from socket import (
    AF_INET,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from typing import NamedTuple

from lab.guard import inside, inside_all
from lab.plan import Plan

CONNECT_SECONDS = 8.0
ANSWER_SECONDS = 3.0


class Note(NamedTuple):
    """What a flow is: `label` ("benign" or the kind of attack), the service, and the details."""

    label: str
    service: str
    detail: str


class Datagrams:
    """A connected UDP socket."""

    def __init__(self, sock: socket):
        self._sock = sock

    async def ask(self, payload: bytes) -> bytes | None:
        """Sends `payload` and returns the answer, or None where none came in time."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError, ConnectionError):
            await loop.sock_sendall(self._sock, payload)
            return await asyncio.wait_for(loop.sock_recv(self._sock, 65_536), ANSWER_SECONDS)
        return None


class Host:
    """The host `name` of `plan`, seen from inside its namespace; `work` is the scratch folder."""

    def __init__(self, plan: Plan, name: str, work: Path):
        self.plan, self.name, self.work = plan, name, work
        self.address = plan.address(name)
        self.record: list[dict] = []
        self._tls = ssl.create_default_context(cafile=work / "lab.crt")

    @asynccontextmanager
    async def connect(
        self, note: Note, server: str, port: int, *, tls: bool = False
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A TCP connection to `port` of the host called `server`, over TLS where asked."""
        address = inside(self.plan.address(server))
        sock = socket(AF_INET, SOCK_STREAM)
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((self.address, 0))
        with self._noted(note, address, port, IPPROTO_TCP, sock.getsockname()[1]):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await asyncio.get_running_loop().sock_connect(sock, (address, port))
                    secure = {"ssl": self._tls, "server_hostname": "lab"} if tls else {}
                    reader, writer = await asyncio.open_connection(sock=sock, **secure)
            except BaseException:
                sock.close()
                raise
            try:
                yield reader, writer
            finally:
                writer.close()
                with suppress(OSError, TimeoutError):
                    await asyncio.wait_for(writer.wait_closed(), 1)

    @contextmanager
    def datagrams(self, note: Note, server: str, port: int) -> Iterator[Datagrams]:
        """A UDP socket towards `port` of the host called `server`."""
        address = inside(self.plan.address(server))
        with socket(AF_INET, SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((self.address, 0))
            with self._noted(note, address, port, IPPROTO_UDP, sock.getsockname()[1]):
                sock.connect((address, port))
                yield Datagrams(sock)

    @asynccontextmanager
    async def tool(
        self,
        note: Note,
        server: str,
        command: Sequence[str],
        *,
        port: int | None = None,
        protocol: int | None = None,
        stdin: int = asyncio.subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A program aimed at the host called `server`; it is dead when the block is left.

        Its sockets are its own, so the record is this host, that server and the time.
        """
        address = self.plan.address(server)
        words = inside_all(address, command)
        with self._noted(note, address, port, protocol):
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=stdin,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})},
                cwd=self.work,
                start_new_session=True,
            )
            try:
                yield process
                await process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with all that it started
                await process.wait()

    @contextmanager
    def _noted(
        self,
        note: Note,
        address: str,
        port: int | None,
        protocol: int | None,
        own: int | None = None,
    ) -> Iterator[None]:
        start = time.time()
        try:
            yield
        finally:
            self.record.append(
                {
                    "start": start,
                    "end": time.time(),
                    "src_addr": self.address,
                    "src_port": own,
                    "dst_addr": address,
                    "dst_port": port,
                    "ip_prot": protocol,
                    **note._asdict(),
                }
            )
