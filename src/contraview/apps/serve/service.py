"""The service put together: guard, API, page, and what goes on beside them."""

import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from contraview.apps.serve.guard import Guard, Impatient, Refused
from contraview.apps.serve.page import STATIC, static
from contraview.core.errors import ContraviewError, InputError
from contraview.core.plain_text import plain
from contraview.core.version import __version__

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
SHORTEST_TOKEN: Final = 16
GRACE_SECONDS: Final = 10
CONNECTIONS: Final = 512

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
            ("contraview_requests_active", "Requests in hand", float(guard.active)),
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
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=16_384,
        server_header=False,
        proxy_headers=False,
    )


def run(application: Guard, listening: socket.socket) -> None:
    """Serve until the process is told to stop; requests in hand are answered first."""
    config = configured(application)
    logging.getLogger("uvicorn.error").addFilter(lambda record: "Exceeded" not in record.msg)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        uvicorn.Server(config).run(sockets=[listening])  # raises the signal again at its end
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
