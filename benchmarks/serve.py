"""The page on 100,000 alerts: first paint, filters, scrolling, and the API under load.

    python -m benchmarks.serve [--alerts 100000] [--out FILE]

Made-up alerts, one group each, in one store; no watcher and no model. Times of the page are taken
in Chromium, from the click or key until what was asked for has been painted; those of the API over
loopback, one client after the other, and then by several at once.
"""

import argparse
import http.client
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from contraview.apps.serve.alerts import Alerts, Settings
from contraview.apps.serve.service import application

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "apps" / "serve"))

from browser import Browser, Page
from eve import line
from in_thread import InThread

REASONS = ("fwd_iat_max", "bytes_mean", "bwd_byte_share", "active_mean", "pkt_cnt")
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"


def alert(number: int) -> bytes:
    """One alert of a host and a minute of its own."""
    reason = {"column": REASONS[number % 5], "value": 9.0, "usual": 1.0, "percentile": 99.9}
    return line(
        number,
        60.0 * number,
        src_ip=f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}",
        dest_ip=f"203.0.113.{number % 200}",
        dest_port=(22, 53, 80, 443, 8443)[number * 7 % 5],
        alert={"severity": 1 + number % 3},
        own_reasons=[{**reason, "effect": 2.0}],
    )


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Median and worst, in milliseconds."""
    return {
        "median": round(1000 * statistics.median(seconds), 1),
        "worst": round(1000 * max(seconds), 1),
    }


def timed(work: Callable[[], Any], times: int = 9) -> dict[str, float]:
    """How long something takes, again and again."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return quantiles(taken)


def of_api(port: int) -> dict[str, Any]:
    """Requests, one after the other."""

    def get(path: str) -> Callable[[], Any]:
        def once() -> Any:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", path)
            content = connection.getresponse().read()
            connection.close()
            return json.loads(content)

        return once

    paths = {
        "first page": "/api/groups?state=open",
        "deep page": "/api/groups?state=open&offset=90000",
        "strongest": "/api/groups?order=strongest",
        "by severity": "/api/groups?severity=1&severity=2",
        "by address": "/api/groups?text=10.1.2.77",
        "by reason and port": "/api/groups?text=iat%20443",
        "nothing found": "/api/groups?text=zzz",
        "one group": "/api/groups/777",
    }
    return {name: timed(get(path)) for name, path in paths.items()}


def of_page(tab: Page, url: str) -> dict[str, Any]:
    """What a person waits for."""
    rows = "document.querySelectorAll('.row time').length"

    def opened() -> None:
        tab.open("about:blank")
        tab.open(url)
        tab.until(f"{rows} > 5")
        tab.js(PAINTED)

    def until_found(text: str, number: str) -> Callable[[], None]:
        def typed() -> None:
            tab.js(
                f"new Promise((done) => {{ const f = document.querySelector('[type=search]');"
                f"f.value = {json.dumps(text)}; f.dispatchEvent(new Event('input'));"
                "const look = () => document.querySelector('.found').textContent === "
                f"{json.dumps(number)} ? done(1) : setTimeout(look, 5); look(); }})"
            )
            tab.js(PAINTED)

        return typed

    first = timed(opened, 5)
    total = tab.js("document.querySelector('.found').textContent")
    narrow, wide = until_found("10.1.2.77", "1 group"), until_found("", total)

    def filtered() -> None:
        narrow()

    there, back = [], []
    for _ in range(7):
        there.append(timed(filtered, 1)["median"] / 1000)
        back.append(timed(wide, 1)["median"] / 1000)

    def scrolled(to: int) -> Callable[[], None]:
        def moved() -> None:
            tab.js(
                f"new Promise((done) => {{ const l = document.querySelector('.list');"
                f"l.scrollTop = {to * 58}; const look = () => document.querySelector("
                f"'#row-{to + 3} time') ? done(1) : setTimeout(look, 5); look(); }})"
            )

        return moved

    jumps = [timed(scrolled(to), 1)["median"] / 1000 for to in (90_000, 45_000, 70_123, 12, 88_000)]
    frames = tab.js(
        "new Promise((done) => { const l = document.querySelector('.list'); const t = [];"
        "let n = 0; const step = (now) => { t.push(now); l.scrollTop += 200;"
        "n++ < 120 ? requestAnimationFrame(step) : done(t); }; requestAnimationFrame(step); })"
    )
    gaps = [(b - a) / 1000 for a, b in pairwise(frames)]
    return {
        "first paint": first,
        "filter, typing pause of 150 ms included": quantiles(there),
        "filter taken back": quantiles(back),
        "jump to any row": quantiles(jumps),
        "frame while scrolling": quantiles(gaps),
        "rows that are elements": tab.js("document.querySelectorAll('.row').length"),
    }


def under_load(port: int, clients: int, seconds: float) -> dict[str, Any]:
    """Several clients at once, each asking again as soon as it is answered."""
    answers: dict[int, int] = {}
    taken: list[float] = []
    lock = threading.Lock()
    end = time.perf_counter() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            begin = time.perf_counter()
            connection.request("GET", "/api/groups?limit=50")
            answer = connection.getresponse()
            answer.read()
            with lock:
                answers[answer.status] = answers.get(answer.status, 0) + 1
                taken.append(time.perf_counter() - begin)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "clients": clients,
        "answers a second": round(sum(answers.values()) / seconds),
        "by status": {str(status): n for status, n in sorted(answers.items())},
        "ms": quantiles(taken),
    }


def measure(alerts: int, folder: Path) -> dict[str, Any]:
    """All of it."""
    model = folder / "model"
    model.mkdir()
    (model / "system.json").write_text("{}")
    kept = Alerts(Settings(model, "made up", folder / "out"))
    with (folder / "out" / "alerts.jsonl").open("wb") as log:
        log.writelines(map(alert, range(alerts)))
    begin = time.perf_counter()
    assert kept.intake.take() == alerts
    intake = time.perf_counter() - begin
    guard = application(kept.about, kept.routers(), metrics=kept.metrics, healthy=lambda: None)
    served = InThread(guard)
    browser = Browser(folder / "profile")
    try:
        return {
            "alerts": alerts,
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "store_mb": round((folder / "out" / "state.sqlite").stat().st_size / 1e6),
            "alerts taken in a second": round(alerts / intake),
            "api, ms": of_api(served.port),
            "page, ms": of_page(browser.page(), served.url),
            "under load": [under_load(served.port, clients, 5) for clients in (4, 100)],
            "peak memory, MB, of service and clients": round(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            ),
        }
    finally:
        browser.close()
        served.stop()
        kept.stop()


def as_table(measured: dict[str, Any]) -> str:
    """What a person waits for, as the documentation shows it."""
    rows = {**measured["page, ms"]}
    rows.pop("rows that are elements")
    rows |= {f"API: {name}": value for name, value in measured["api, ms"].items()}
    lines = ["| | median | worst |", "|---|---:|---:|"]
    lines += [f"| {name} | {each['median']:g} | {each['worst']:g} |" for name, each in rows.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(measure(options.alerts, Path(folder)), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
