"""`contraview serve` below and above what it can take, and told to stop: on 127.0.0.1 alone.

    python -m benchmarks.serve_load [--seconds 120] [--json results/benchmarks/serve_load.json]

The real command with a quick detector on a made-up log, asked by wrk (https://github.com/wg/wrk):
scoring requests of 20 flows and queries of groups of alerts, at once. Below saturation few
connections ask again as soon as they are answered; above it, three times as many as the service
takes in hand. Then SIGTERM amid requests: half of the clients keep their connections, half begin
a new one each time; a request is lost if its connection was made and no whole answer came.
"""

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contraview.apps.detection.detector import Detector
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from lab import conn_logs

BELOW, ABOVE = (6, 6), (60, 140)
"""Connections that score, and that query."""
LUA = """
wrk.method, wrk.body = METHOD, BODY
wrk.headers["Content-Type"] = "application/json"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) ok, busy, unclean, other = 0, 0, 0, 0 end
function response(status, headers, body)
  if status == 200 then ok = ok + 1
  elseif status == 503 then
    busy = busy + 1
    if headers["retry-after"] ~= "1" then unclean = unclean + 1 end
  else other = other + 1 end
end
function done(summary, latency, requests)
  local t, e = threads[1], summary.errors
  io.write(string.format('\\nJSON{"200":%d,"503":%d,"503 without Retry-After":%d,' ..
    '"other status":%d,"connection errors":%d,"p50 ms":%.1f,"p99 ms":%.1f,"max ms":%.1f}\\n',
    t:get("ok"), t:get("busy"), t:get("unclean"), t:get("other"),
    e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


def quick_model(folder: Path) -> Path:
    """A detector that fits in seconds."""
    log = folder / "benign.log"
    log.write_text(conn_logs.log(1500, seed=7, odd=0.0))
    knobs = {"steps": 60, "trees": 20, "light": True, "max_fpr": 0.01}
    return Detector(**knobs).fit(read_flows(log), run=Run(seed=0)).save(folder / "model")


class Service:
    """The command as a process, on a free port of loopback."""

    def __init__(self, model: Path, folder: Path) -> None:
        log = folder / "conn.log"
        log.write_text(conn_logs.log(3000, seed=8, odd=0.05))
        command = ["serve", str(model), "--watch", str(log), "--out", str(folder / "out")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contraview", *command, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        while json.loads(self.get("/api/about"))["alerts"] < 10:
            time.sleep(0.1)

    def get(self, path: str) -> str:
        """One answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        if answer.status == 503:
            time.sleep(1)
            return self.get(path)
        return content

    def answered(self) -> Counter[str]:
        """Responses so far by status, as the service counts them."""
        found = re.findall(
            r'contraview_responses_total\{status="(\d+)"\} (\d+)', self.get("/metrics")
        )
        return Counter({status: int(number) for status, number in found})

    def memory(self) -> float:
        """Of the service's process, MB resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def service(model: Path, folder: Path) -> Iterator[Service]:
    """A service that ends with the block, in whatever way."""
    folder.mkdir()
    made = Service(model, folder)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        if made.process.stdout is not None:
            made.process.stdout.close()


def request() -> bytes:
    """The body of a scoring request."""
    return json.dumps({"flows": conn_logs.records(20, 9, odd=0.2).to_dicts()}).encode()


def wrk(path: str, body: bytes, connections: int, seconds: int, port: int) -> dict[str, Any]:
    """What wrk finds."""
    method = "POST" if body else "GET"
    script = LUA.replace("METHOD", f'"{method}"').replace("BODY", f"[==[{body.decode()}]==]")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "25s"]
        done = subprocess.run(
            [*command, "-s", file.name, f"http://127.0.0.1:{port}{path}"],
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.partition("JSON")[2].partition("\n")[0])
    return {"connections": connections, **found}


def load(served: Service, connections: tuple[int, int], seconds: int) -> dict[str, Any]:
    """Both kinds of requests at once; memory before, every ten seconds, and after."""
    port = served.port
    wrk("/api/score", request(), 4, 2, port)  # warm: models loaded, threads begun
    wrk("/api/groups?limit=50", b"", 4, 2, port)
    before, memory = served.answered(), [round(served.memory(), 1)]
    with ThreadPoolExecutor(2) as both:
        scoring = both.submit(wrk, "/api/score", request(), connections[0], seconds, port)
        queries = both.submit(wrk, "/api/groups?limit=50", b"", connections[1], seconds, port)
        while not (scoring.done() and queries.done()):
            time.sleep(min(10, seconds / 3))
            memory.append(round(served.memory(), 1))
    found = {"scoring": scoring.result(), "queries": queries.result()}
    time.sleep(1)
    counted = served.answered() - before
    counted["200"] -= 1  # the counters' own first answer
    heard = {s: sum(each[s] for each in found.values()) for s in ("200", "503")}
    return {
        "seconds": seconds,
        **found,
        "responses by the service's counters": dict(sorted(counted.items())),
        "counted, but not heard as wrk had ended": sum(counted.values()) - sum(heard.values()),
        "memory MB, every 10 s": memory,
    }


def stopped(served: Service, clients: int = 16, seconds: float = 3.0) -> dict[str, Any]:
    """SIGTERM amid requests."""
    body = request()
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def ask(keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        while True:
            try:
                connection.connect() if connection.sock is None else None
            except OSError:
                return  # nobody there any more
            try:
                connection.request("POST", "/api/score", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                json.loads(answer.read())
                outcome = str(answer.status)
            except (OSError, http.client.HTTPException, ValueError) as error:
                outcome = f"lost: {type(error).__name__}"
            with lock:
                outcomes[outcome] += 1
            if not keep or outcome.startswith("lost"):
                connection.close()

    threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    begin = time.monotonic()
    code = served.stop()
    for thread in threads:
        thread.join()
    return {
        "clients": clients,
        "answers": dict(outcomes),
        "lost": sum(n for outcome, n in outcomes.items() if outcome.startswith("lost")),
        "exit code": code,
        "seconds to stop": round(time.monotonic() - begin, 1),
    }


def measure(folder: Path, seconds: int, stops: int = 5) -> dict[str, Any]:
    """All of it."""
    model = quick_model(folder)
    with service(model, folder / "loaded") as served:
        below = load(served, BELOW, seconds)
        above = load(served, ABOVE, seconds)
        after = json.loads(served.get("/healthz"))
        loaded = served.stop()
    stopping = []
    for number in range(stops):
        with service(model, folder / f"stopped-{number}") as served:
            stopping.append(stopped(served))
    version = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "wrk": version.split()[1],
        "below saturation": below,
        "above saturation": above,
        "healthy after it": after["status"] == "ok",
        "exit code after it": loaded,
        "SIGTERM amid requests": stopping,
    }


def as_table(measured: dict[str, Any]) -> str:
    """Load as the documentation shows it."""
    names = ("200", "503", "503 without Retry-After", "other status", "connection errors")
    lines = [
        f"| | connections | {' | '.join(names)} | p50 ms | p99 ms |",
        "|---|" + "---:|" * (len(names) + 3),
    ]
    for phase in ("below saturation", "above saturation"):
        for kind in ("scoring", "queries"):
            each = measured[phase][kind]
            cells = [each["connections"], *(each[n] for n in (*names, "p50 ms", "p99 ms"))]
            lines.append(f"| {phase}, {kind} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not here: install it (apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(measure(Path(folder), options.seconds), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
