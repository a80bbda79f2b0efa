"""Who may ask, how much, how long, how many at once; asked of a real server."""

import socket
import threading
import time

import pytest
from fastapi import APIRouter, Request
from in_thread import InThread

from contraview.apps.serve import guard as limits
from contraview.apps.serve.service import application, listen, read_token
from contraview.core.errors import InputError

TOKEN = "a-token-for-the-tests"
POST = b"POST /api/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


class Running(InThread):
    """A service with two routes of its own."""

    def __init__(self, *, token=None, healthy=lambda: None):
        self.go = threading.Event()
        api = APIRouter(prefix="/api")

        @api.get("/slow")
        def slow():
            self.go.wait(30)
            return {"slow": True}

        @api.post("/echo")
        async def echo(request: Request):
            return {"bytes": len(await request.body())}

        metrics = lambda: [("m_total", "M", 3)]  # noqa: E731
        about = lambda: {"mode": "test"}  # noqa: E731
        super().__init__(application(about, [api], metrics=metrics, healthy=healthy, token=token))

    def stop(self):
        self.go.set()
        super().stop()


@pytest.fixture
def running():
    begun = []

    def begin(**settings):
        begun.append(Running(**settings))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


def test_every_answer_has_the_headers_that_keep_a_browser_safe(running, asked):
    port = running().port
    for path in ("/", "/api/about", "/static/page.css", "/static/none", "/healthz"):
        headers = asked(port, path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert asked(port, "/static/..%2fservice.py").status == 404
    assert asked(port, "/docs").status == 404, "it would load its script from elsewhere"


def test_a_name_that_was_led_here_gets_nothing(running, asked):
    port = running().port
    assert asked(port, "/api/about", host="rebound.example").status == 421
    assert asked(port, "/api/about", host=f"localhost:{port}").status == 200


def test_another_sites_page_changes_nothing(running, asked):
    port = running().port
    cross = asked(port, "/api/echo", "POST", b"{}", origin="http://evil.example")
    assert cross.status == 403
    assert asked(port, "/api/echo", "POST", b"{}", sec_fetch_site="cross-site").status == 403
    assert asked(port, "/api/echo", "POST", b"{}", content_type="text/plain").status == 415
    own = asked(port, "/api/echo", "POST", b"{}", origin=f"http://127.0.0.1:{port}")
    assert own.json == {"bytes": 2}


def test_without_the_token_only_the_empty_page(running, asked):
    port = running(token=TOKEN).port
    assert asked(port, "/").status == 200
    assert asked(port, "/static/main.js").status == 200
    for path in ("/api/about", "/metrics", "/api/openapi.json", "/api/none"):
        assert asked(port, path).status == 401
        assert asked(port, path, authorization="Bearer wrong").status == 401
        assert asked(port, path, authorization=f"Bearer {TOKEN}").status != 401


def test_a_body_has_an_end(running, asked):
    port = running().port
    most = limits.BODY_BYTES
    assert asked(port, "/api/echo", "POST", b"x" * most).json == {"bytes": most}
    assert asked(port, "/api/echo", "POST", b"x" * (most + 1)).status == 413
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        raw.sendall(POST + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(most // 4096 + 1):
            raw.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_one_more_than_can_be_in_hand_is_told_to_come_again(running, asked, monkeypatch):
    monkeypatch.setattr(limits, "AT_ONCE", 3)
    service = running()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(asked(service.port, "/api/slow").status))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    while service.guard.active < 3:
        time.sleep(0.01)
    refused = asked(service.port, "/api/about")
    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    service.go.set()
    for thread in threads:
        thread.join(20)
    assert answers == [200, 200, 200], "those in hand were answered"
    assert asked(service.port, "/api/about").status == 200
    assert 'responses_total{status="503"} 1' in asked(service.port, "/metrics").body.decode()


def test_what_takes_too_long_is_given_up(running, asked, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.3)
    service = running()
    assert asked(service.port, "/api/slow").status == 503
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as raw:
        raw.sendall(POST + b"content-length: 9\r\n\r\n{")
        assert raw.recv(100).startswith(b"HTTP/1.1 503"), "a body that does not come"


def test_a_connection_without_a_request_is_closed(running, monkeypatch):
    monkeypatch.setattr(limits, "HEADER_SECONDS", 0.2)
    service = running()
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nhost:")
        assert raw.recv(100) == b""


def test_health_and_metrics(running, asked):
    service = running(healthy=lambda: "the watcher failed")
    answer = asked(service.port, "/healthz")
    assert answer.status == 503
    assert answer.json == {"status": "failing", "detail": "the watcher failed"}
    text = asked(service.port, "/metrics").body.decode()
    assert "# TYPE m_total counter\nm_total 3\n" in text


def test_to_be_reached_from_elsewhere_a_token_is_needed(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTRAVIEW_TOKEN", raising=False)
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        assert read_token(host, None) is None
    for host in ("0.0.0.0", "::", "192.0.2.1", "a-name.example"):
        with pytest.raises(InputError, match="expected --token-file"):
            read_token(host, None)
    path = tmp_path / "token"
    path.write_text("short\n")
    with pytest.raises(InputError, match="at least 16"):
        read_token("0.0.0.0", path)
    path.write_text(f"{TOKEN}\n")
    assert read_token("0.0.0.0", path) == TOKEN
    monkeypatch.setenv("CONTRAVIEW_TOKEN", TOKEN)
    assert read_token("127.0.0.1", None) == TOKEN


def test_a_port_that_is_taken_is_said_in_one_line():
    taken = listen("127.0.0.1", 0)
    with pytest.raises(InputError, match="cannot listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()
