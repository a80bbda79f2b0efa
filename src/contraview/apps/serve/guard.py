"""What stands before every request: who may ask, how much, how long, and how many at once."""

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES: Final = 65_536
"""The longest body of a request."""
SECONDS: Final = 20.0
"""The longest that a request, its body included, may take."""
AT_ONCE: Final = 64
"""Requests in hand; one more is refused with 503, so that those in hand are answered."""
HEADER_SECONDS: Final = 10.0
"""The longest that a connection may be open without a whole request."""
CONNECTIONS: Final = 512
"""Open connections; a request on one more is refused with 503, and the connection closed."""
LINGER_SECONDS: Final = 0.5
"""How long a stopping service waits for what may be on its way on an open connection."""
POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    b"connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for this page: its own files, and nothing else."""
HEADERS: Final = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
CLOSE: Final = (b"connection", b"close")
OPEN: Final = ("/healthz", "/static/")
"""Paths beside `/` that need no token: they tell nothing of anybody's traffic."""


class Refused(Exception):  # noqa: N818 nothing went wrong here
    """A request that is not passed on."""

    def __init__(self, status: int, detail: str, why: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.why = status, detail, why


class Guard:
    """Passes on the requests that may be answered.

    Args:
        app: what answers them.
        hosts: the names by which this service may be called; a page of another name that a
            browser was led to this address by gets nothing. Empty allows any (with a token).
        token: what `Authorization: Bearer` must bring for all but the page itself.

    Attributes:
        answered: requests by status.
        active: requests in hand now.
        held_off: requests told to come again, by why: ``busy`` (too many in hand), ``crowded``
            (too many connections), ``slow`` (took too long).
        leaving: whether the service stops: each answer then closes its connection.
    """

    def __init__(self, app: App, *, hosts: frozenset[str], token: str | None) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else token.encode()
        self.answered: Counter[int] = Counter()
        self.active = 0
        self.held_off: Counter[str] = Counter(busy=0, crowded=0, slow=0)
        self.leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self.answered[message["status"]] += 1
                closing = [CLOSE] if self.leaving else []
                message["headers"] = [*message.get("headers", ()), *HEADERS, *closing]
            await send(message)

        try:
            self._check(scope)
            if self.active >= AT_ONCE:
                raise Refused(503, "busy; try again in a second", "busy")
            self.active += 1
            try:
                async with asyncio.timeout(SECONDS):
                    await self._app(scope, _bounded(receive), answer)
            finally:
                self.active -= 1
        except Refused as no:
            self._count(no)
            if not begun:
                await _refuse(answer, no)
        except TimeoutError:
            slow = Refused(503, "took too long", "slow")
            self._count(slow)
            if not begun:
                await _refuse(answer, slow)

    async def crowded(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """A request on a connection too many."""
        no = Refused(503, "too many connections; try again in a second", "crowded")
        self._count(no)
        self.answered[no.status] += 1
        await _refuse(send, no, *HEADERS, CLOSE)

    def _count(self, no: Refused) -> None:
        if no.why:
            self.held_off[no.why] += 1

    def _check(self, scope: Scope) -> None:
        said = {name.lower(): value for name, value in scope["headers"]}
        host = said.get(b"host", b"").decode("latin-1").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self._hosts and name not in self._hosts:
            raise Refused(421, "this service does not go by that name")
        if scope["method"] not in ("GET", "HEAD"):
            _same_origin(said, host)
        if int(said.get(b"content-length", b"0") or 0) > BODY_BYTES:
            raise Refused(413, f"expected at most {BODY_BYTES} bytes")
        path = scope["path"]
        if self._token is None or path == "/" or path.startswith(OPEN):
            return
        brought = said.get(b"authorization", b"")
        if not hmac.compare_digest(brought, b"Bearer " + self._token):
            raise Refused(401, "expected the service's token")


def _same_origin(said: dict[bytes, bytes], host: str) -> None:
    """Another site's page may not have a browser change anything here."""
    if said.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
        raise Refused(403, "asked by another site's page")
    origin = said.get(b"origin")
    if origin is not None and origin.decode("latin-1").lower().split("//", 1)[-1] != host:
        raise Refused(403, "asked by another site's page")
    with_body = said.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in said
    if with_body and not said.get(b"content-type", b"").startswith(b"application/json"):
        raise Refused(415, "expected application/json")


def _bounded(receive: Receive) -> Receive:
    """A body that ends at `BODY_BYTES`, however long it was said to be."""
    size = 0

    async def part() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES:
            raise Refused(413, f"expected at most {BODY_BYTES} bytes")
        return message

    return part


async def _refuse(send: Send, no: Refused, *more: tuple[bytes, bytes]) -> None:
    body = json.dumps({"detail": no.detail}).encode()
    length = b"%d" % len(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", length), *more]
    if no.status == 503:
        headers.append((b"retry-after", b"1"))
    if no.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": no.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Impatient(H11Protocol):
    """HTTP/1.1 that closes a connection on which no whole request comes, and ends in order."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self.app = self._guard.crowded
        self._waited = self.loop.call_later(HEADER_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._waited.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The service stops: answer what is in hand, and what is on its way, then close."""
        self._guard.leaving = True
        if self._idle:
            self.loop.call_later(LINGER_SECONDS, self._close)
        else:
            self.cycle.keep_alive = False

    @property
    def _guard(self) -> Guard:
        guard = self.config.loaded_app
        assert isinstance(guard, Guard)
        return guard

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close(self) -> None:
        if self._idle and not self.transport.is_closing():
            super().shutdown()

    def _look(self) -> None:
        if self._idle and getattr(self, "_before", None) is self.cycle:
            self.transport.close()
            return
        self._before = self.cycle
        self._waited = self.loop.call_later(HEADER_SECONDS, self._look)
