"""A service that stops: what it took, it answers."""

import json
import signal
import socket
import threading
import time

from fastapi import APIRouter
from in_thread import InThread

from contraview.apps.serve import guard as limits
from contraview.apps.serve.service import application
from lab import conn_logs

GET = b"GET /api/slow HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Slow(InThread):
    """A service whose answers wait until they may go."""

    def __init__(self):
        self.go = threading.Event()
        api = APIRouter(prefix="/api")

        @api.get("/slow")
        def slow():
            self.go.wait(30)
            return {"slow": True}

        super().__init__(application(dict, [api], metrics=list, healthy=lambda: None))

    def begin_to_stop(self):
        self.server.should_exit = True
        while not self.guard.leaving:
            time.sleep(0.01)


def whole(connection):
    """All that comes until the other end closes."""
    parts = []
    while part := connection.recv(4096):
        parts.append(part)
    return b"".join(parts)


def connected(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def test_what_is_in_hand_and_what_is_on_its_way_is_answered():
    service = Slow()
    in_hand, on_its_way, silent = (connected(service) for _ in range(3))
    in_hand.sendall(GET)
    while service.guard.active < 1:
        time.sleep(0.01)
    service.begin_to_stop()
    on_its_way.sendall(GET)  # the connection stood before
    threading.Timer(1, service.go.set).start()
    for connection in (in_hand, on_its_way):
        answer = whole(connection)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'{"slow":true}')
    assert whole(silent) == b"", "closed, as nothing came"
    service.stop()
    for connection in (in_hand, on_its_way, silent):
        connection.close()


def test_a_connection_too_many_is_told_to_come_again(monkeypatch, asked):
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    service = Slow()
    open_ones = [connected(service) for _ in range(2)]
    while len(service.server.server_state.connections) < 2:
        time.sleep(0.01)
    refused = asked(service.port, "/api/about")
    assert refused.status == 503
    assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    for each in open_ones:
        each.close()
    while service.server.server_state.connections:
        time.sleep(0.01)
    said = asked(service.port, "/metrics").body.decode()
    assert 'contraview_requests_held_off_total{why="crowded"} 1' in said
    assert 'contraview_responses_total{status="503"} 1' in said
    service.stop()


def test_flows_are_scored_and_sigterm_lets_none_fall(model, serve, asked, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(conn_logs.log(300, seed=8, odd=0.1))
    served = serve(model, "--watch", log, "--out", tmp_path / "out")
    flows = conn_logs.records(40, 9, odd=0.2).to_dicts()
    found = asked(served.port, "/api/score", "POST", {"flows": flows}).json
    assert [each["alert"] for each in found["flows"]].count(True) > 2
    assert all(each["alert"] <= (each["score"] > found["threshold"]) for each in found["flows"])
    wrong = asked(served.port, "/api/score", "POST", {"flows": [{"a": 1}]})
    assert wrong.status == 422
    assert asked(served.port, "/api/score", "POST", {"flows": []}).status == 422
    assert asked(served.port, "/api/score", "POST", {"flows": [{"a": {}}]}).status == 422

    answers = []
    sent = threading.Barrier(13)
    body = json.dumps({"flows": flows}).encode()
    head = b"POST /api/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

    def send():
        with connected(served) as connection:
            connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            sent.wait(20)
            answers.append(whole(connection))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    sent.wait(20)
    assert served.stop(signal.SIGTERM) == 0
    for thread in threads:
        thread.join(20)
    assert len(answers) == 12
    for answer in answers:
        first, _, content = answer.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 200")
        assert json.loads(content)["flows"] == found["flows"]
