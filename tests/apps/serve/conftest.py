import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contraview.apps.detection.detector import Detector
from contraview.apps.serve.intake import Intake
from contraview.apps.serve.queries import Queries
from contraview.apps.serve.store import Store
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from lab import conn_logs

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser


@dataclass
class Kept:
    """A store, the log it is filled from, and what the page asks of it."""

    store: Store
    log: Path
    intake: Intake
    queries: Queries

    def take(self, *lines: bytes) -> int:
        with self.log.open("ab") as file:
            file.writelines(lines)
        return self.intake.take()


@pytest.fixture
def kept(tmp_path):
    store = Store(tmp_path / "state.sqlite")
    log = tmp_path / "alerts.jsonl"
    intake = Intake(store, log)
    made = Kept(store, log, intake, Queries(store))
    yield made
    made.intake.close()
    store.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """One request to a service on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    content = None
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"content-type": "application/json"} | said
    connection.request(method, path, content, said)
    got = connection.getresponse()
    answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    connection.close()
    return answer


@pytest.fixture(scope="session")
def asked():
    return ask


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A quick detector of Zeek's connections."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "benign.log").write_text(conn_logs.log(1500, seed=7, odd=0.0))
    knobs = {"steps": 60, "trees": 20, "light": True, "max_fpr": 0.01}
    fitted = Detector(**knobs).fit(read_flows(folder / "benign.log"), run=Run(seed=0))
    return fitted.save(folder / "zeek")


class Served:
    """`contraview serve` as a process."""

    def __init__(self, *arguments: str, **settings: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contraview", "serve", *arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | settings,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.said: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rsplit(":", 1)[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self._reading.is_alive() or self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reading.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


@pytest.fixture
def serve():
    """Begins services, and ends them."""
    begun: list[Served] = []

    def begin(*arguments: Any, **settings: str) -> Served:
        begun.append(Served(*map(str, arguments), **settings))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()
