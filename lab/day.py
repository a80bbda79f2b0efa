"""One day, from nothing to a capture: the first process inside the lab's own namespaces.

``python -m lab.day PLAN OUT``, started by `lab.__main__` under `unshare`. Everything it makes
(mounts, interfaces, namespaces, processes) belongs to namespaces that the kernel takes down with
this process, however it ends.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from lab import servers
from lab.capture import Capture
from lab.network import build, mac
from lab.plan import Plan
from lab.switch import Switch

_GRACE_SECONDS = 8.0
_SETUP_SECONDS = 60


def main(plan_file: Path, out: Path) -> None:
    """Lives through the plan; leaves dayN.pcap.gz and dayN.json (what was opened) in `out`."""
    plan = Plan.read(plan_file)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(int(plan.seconds + _GRACE_SECONDS) + 2 * _SETUP_SECONDS)
    _mount("-t", "tmpfs", "lab", "/run")
    work = Path("/run/lab")
    _furnish(work, plan.seed)
    ports = build(plan.hosts)
    switch = Switch(ports, [mac(h) for h in plan.hosts], [h.link for h in plan.hosts], plan.seed)

    agents = {h.name: _agent(plan_file, h.name, work) for h in plan.hosts}
    for name, agent in agents.items():
        if agent.stdout is None or agent.stdout.readline() != "ready\n":
            raise RuntimeError(f"host {name} did not start")
    start = time.time() + 1
    for agent in agents.values():
        if agent.stdin is not None:
            agent.stdin.write(f"{start}\n")
            agent.stdin.close()
    with Capture(out / f"day{plan.day}.pcap.gz", plan.clock_ahead) as capture:
        switch.run(capture, start + plan.seconds + _GRACE_SECONDS)
    for name, agent in agents.items():
        if agent.wait(timeout=10):
            raise RuntimeError(f"host {name} failed")

    reports = [json.loads((work / f"{host.name}.json").read_text()) for host in plan.hosts]
    ended = sum((Counter(report["ended"]) for report in reports), Counter())
    summary = {
        "packets": capture.packets,
        "dropped": switch.dropped(),
        "ended": dict(sorted(ended.items())),
        "record": [row for report in reports for row in report["record"]],
    }
    (out / f"day{plan.day}.json").write_text(json.dumps(summary))


def _agent(plan_file: Path, name: str, work: Path) -> subprocess.Popen[str]:
    inside = ["ip", "netns", "exec", name, sys.executable, "-m", "lab.host"]
    pipe = subprocess.PIPE
    return subprocess.Popen([*inside, plan_file, name, work], stdin=pipe, stdout=pipe, text=True)


def _furnish(work: Path, seed: int) -> None:
    """Certificate, host key, files to serve, and a user account that exists only in here."""
    work.mkdir()
    (work / "empty").mkdir()
    servers.write_objects(work / "objects", seed)
    _do(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "30", "-subj", "/CN=lab", "-addext", "subjectAltName=DNS:lab",
        "-keyout", str(work / "lab.key"), "-out", str(work / "lab.crt"),
    )  # fmt: skip
    _do("dropbearkey", "-t", "ed25519", "-f", str(work / "dropbear.key"))
    password = subprocess.run(
        ["openssl", "passwd", "-6", servers.PASSWORD], check=True, capture_output=True, text=True
    )
    for real, copy in servers.accounts(work, password.stdout.strip()).items():
        _mount("--bind", str(copy), str(real))
    shutil.copytree(work / "objects", work / "home" / "objects")


def _mount(*words: str) -> None:
    _do("mount", *words)


def _do(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
