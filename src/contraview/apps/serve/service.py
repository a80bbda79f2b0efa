"""The service put together: guard, API, page, and what goes on beside them."""

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from contraview.apps.serve.guard import AT_ONCE, Guard, Impatient, Refused
from contraview.apps.serve.page import STATIC, static
from contraview.core.errors import ContraviewError, InputError
from contraview.core.plain_text import plain
from contraview.core.version import __version__

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
SHORTEST_TOKEN: Final = 16
GRACE_SECONDS: Final = 25
"""How long a stopping service waits: longer than a request may take, so that none is cut off."""

Metrics = Callable[[], Iterable[tuple[str, str, int | float]]]
"""Gives name, help and value of each metric; a name that ends in ``_total`` only grows."""


def read_token(host: str, path: Path | None) -> str | None:
    """The token that requests must bring.

    Raises:
        InputError: none, where the service could be reached from elsewhere; or too short a one.
    """
    token = os.environ.get("CONTRAVIEW_TOKEN")
    if path is not None:
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read: {error}") from None
    if token is None:
        if _is_loopback(host):
            return None
        raise InputError(
            f"--host {host} can be reached from elsewhere; expected --token-file FILE (make one: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > FILE) or "
            "$CONTRAVIEW_TOKEN"
        )
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise InputError(f"the token: expected at least {SHORTEST_TOKEN} printable characters")
    return token


def application(
    about: Callable[[], dict[str, Any]],
    routers: Iterable[APIRouter],
    *,
    metrics: Metrics,
    healthy: Callable[[], str | None],
    host: str = "127.0.0.1",
    token: str | None = None,
) -> Guard:
    """The whole service as one ASGI application.

    Args:
        about: what is served, for ``/api/about``; asked every two seconds by each open page.
        routers: the API.
        metrics: what is counted, for ``/metrics``.
        healthy: what is wrong, if anything, for ``/healthz``.
        host: the address listened on.
        token: what requests must bring.
    """
    app = FastAPI(
        title="contraview",
        version=__version__,
        summary="What a model says of traffic as it comes, or of any items.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both would load their scripts from elsewhere
        redoc_url=None,
    )
    for router in routers:
        app.include_router(router)

    @app.get("/api/about", tags=["service"])
    def what() -> dict[str, Any]:
        """What is served, and a number that changes when anything does."""
        return about()

    @app.get("/healthz", tags=["service"])
    def health() -> JSONResponse:
        """200 while all is well, 503 and what is wrong otherwise."""
        wrong = healthy()
        status = {"status": "ok"} if wrong is None else {"status": "failing", "detail": wrong}
        return JSONResponse(status, 200 if wrong is None else 503)

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse)
    def counted() -> str:
        """Counters in Prometheus' text form."""
        served = (
            ("contraview_requests_active", "Requests in hand", guard.active),
            ("contraview_requests_active_limit", "Requests in hand at most", AT_ONCE),
            *(
                (f'contraview_requests_held_off_total{{why="{why}"}}', "Told to come again", n)
                for why, n in sorted(guard.held_off.items())
            ),
            *_memory(),
            *(
                (f'contraview_responses_total{{status="{status}"}}', "Responses by status", n)
                for status, n in sorted(guard.answered.items())
            ),
        )
        return _exposition((*metrics(), *served))

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return static("index.html")

    @app.get("/static/{name}", include_in_schema=False)
    def file(name: str) -> Response:
        return static(name) if name in STATIC else PlainTextResponse("not found", 404)

    @app.exception_handler(ContraviewError)
    async def refuse(_: Request, error: ContraviewError) -> JSONResponse:
        status = 422 if isinstance(error, InputError) else 500
        return JSONResponse({"detail": plain(str(error), 1000)}, status)

    @app.exception_handler(Refused)
    async def no(_: Request, refused: Refused) -> JSONResponse:
        return JSONResponse({"detail": refused.detail}, refused.status)

    @app.exception_handler(RequestValidationError)
    async def misunderstood(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"detail": plain(f"{where}: {first['msg']}")}, 422)

    names = LOOPBACK_NAMES if _is_loopback(host) else frozenset()
    guard = Guard(app, hosts=names, token=token)
    return guard


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the address is none of this machine, or taken.
    """
    listening = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise InputError(f"{host} port {port}: cannot listen: {error.strerror or error}") from None
    return listening


def configured(application: Guard) -> uvicorn.Config:
    """How the server is set."""
    return uvicorn.Config(
        application,
        http=Impatient,
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=16_384,
        server_header=False,
        proxy_headers=False,
    )


class Server(uvicorn.Server):
    """Stops without losing a connection that the machine has taken on its behalf."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what waits to be taken, close the door, answer, go."""
        taken = [each for listening in sockets or () for each in _waiting(listening)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for each in taken:
            await loop.connect_accepted_socket(self._protocol, each)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        state = self.lifespan.state
        return made(config=self.config, server_state=self.server_state, app_state=state)


def _waiting(listening: socket.socket) -> Iterator[socket.socket]:
    listening.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            yield listening.accept()[0]


def run(application: Guard, listening: socket.socket) -> None:
    """Serve until the process is told to stop; requests in hand are answered first."""
    server = Server(configured(application))

    def leave(*_: Any) -> None:
        server.should_exit = True

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        server.run(sockets=[listening])  # raises the signal again at its end
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def say_where(listening: socket.socket, host: str) -> None:
    """Print the address to open."""
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"http://{shown}:{port}/\n")
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _memory() -> Iterator[tuple[str, str, int | float]]:
    """What the process holds of the machine's memory, where the system tells it."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        name = "process_resident_memory_bytes"
        yield name, "Resident memory", pages * os.sysconf("SC_PAGE_SIZE")


def _exposition(metrics: Iterable[tuple[str, str, int | float]]) -> str:
    lines, told = [], set()
    for name, said, value in metrics:
        bare = name.partition("{")[0]
        if bare not in told:
            told.add(bare)
            kind = "counter" if bare.endswith("_total") else "gauge"
            lines += [f"# HELP {bare} {said}", f"# TYPE {bare} {kind}"]
        lines.append(f"{name} {value:g}" if value % 1 else f"{name} {value:.0f}")
    return "\n".join(lines) + "\n"
