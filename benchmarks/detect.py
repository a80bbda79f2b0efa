"""From capture to alerts: packets a second, peak memory, time to the first live alert.

    python benchmarks/detect.py --peer-python VENV/bin/python [--packets N] [--live] [--out FILE]

Arms, each in a fresh interpreter, in turn: `contraview detect MODEL -` with the capture on its
standard input, with the default four views and with `--light`, alerts with reasons as EVE; against
nfstream (statistics on) and scikit-learn's isolation forest (200 trees) on its numbers, alerts as
JSON lines, no reasons. Both learn from another generated capture of the same kind and alert above
the 99 % point of benign scores. CPU time is user and system time of all processes; what a first
small capture costs (imports, model) is told apart. Memory is the peak on a capture of more than
three of the meter's windows, and on one ten times longer (of the peer one run).

With --live (root, Linux) a scan of the lab's third day is replayed over a veth pair into a watcher,
to see how long after the scan's first packet the first alert comes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contraview.modalities.flows.meter.windows import WINDOW
from meter import HEADERS, generate

PEER = "nfstream and isolation forest"

_TIMING = """
import json, multiprocessing, os, resource, sys, time
def usage():
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
def cpu():
    return sum(u.ru_utime + u.ru_stime for u in usage())
def report(alerts, begin):
    # Of the process itself not ru_maxrss: that begins with the peak of the process that began it.
    with open("/proc/self/status") as status:
        own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({"cpu_seconds": cpu() - begin, "start_cpu_seconds": begin, "alerts": alerts,
                      "peak_mb": max(own, usage()[1].ru_maxrss) / 1024}))
"""

_OURS = (
    _TIMING
    + """
from contraview.apps.cli import main
def run(path):
    os.dup2(os.open(path, os.O_RDONLY), 0)
    lines = os.path.join(os.path.dirname(path), "alerts.jsonl")
    out = sys.stdout
    with open(lines, "w") as sys.stdout:
        code = main(["detect", model, "-"])
    sys.stdout = out
    assert code == 0
    with open(lines) as alerts:
        return sum('"signature"' in line for line in alerts)
model, small, path = sys.argv[1:]
run(small)
begin = cpu()
report(run(path), begin)
"""
)

_FIT = """
import sys
from contraview.apps.detection.detector import Detector
from contraview.modalities.flows.data import read_flows
benign, full, light = sys.argv[1:]
flows = read_flows(benign)
Detector().fit(flows).save(full)
Detector(light=True).fit(flows).save(light)
"""

_PEER = (
    _TIMING
    + """
import numpy as np
from nfstream import NFStreamer
from sklearn.ensemble import IsolationForest
def tables(path):
    rows, names = [], None
    for flow in NFStreamer(source=path, statistical_analysis=True, n_dissections=0,
                           idle_timeout=120, active_timeout=1800, n_meters=1):
        names = names or [k for k, v in zip(flow.keys(), flow.values())
                          if isinstance(v, (int, float)) and ("packets" in k or "bytes" in k
                          or "_ms" in k and "seen" not in k or "_ps" in k or "piat" in k)]
        rows.append(([getattr(flow, k) for k in names], flow.src_ip, flow.dst_ip))
        if len(rows) == 10_000:
            yield rows
            rows = []
    if rows:
        yield rows
if __name__ == "__main__":
    benign, small, path = sys.argv[1:]
    learn = np.array([row[0] for rows in tables(benign) for row in rows], float)
    forest = IsolationForest(n_estimators=200, random_state=0, n_jobs=1).fit(learn)
    threshold = np.quantile(-forest.score_samples(learn), 0.99)
    alerts = 0
    begin = cpu()
    with open(path + ".alerts", "w") as out:
        for rows in tables(path):
            scores = -forest.score_samples(np.array([row[0] for row in rows], float))
            for k in np.flatnonzero(scores > threshold):
                alert = {"src_ip": rows[k][1], "dst_ip": rows[k][2], "score": scores[k]}
                out.write(json.dumps(alert) + "\\n")
                alerts += 1
    report(alerts, begin)
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=500_000, help="about so many")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer-python", help="interpreter with nfstream and scikit-learn")
    parser.add_argument("--live", action="store_true", help="replay over a veth pair as well")
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captures = {key: folder / f"{key}.pcap" for key in ("benign", "small", "once", "ten_times")}
        sizes = dict(zip(captures, (60_000, 5_000, options.packets, 0), strict=True))
        for key, size in sizes.items():
            if size:
                generate(captures[key], size, options.seed + len(key))
        _repeat(captures["once"], captures["ten_times"], 10)
        full, light = folder / "full", folder / "light"
        _python(sys.executable, _FIT, captures["benign"], full, light)
        arms = {
            "four views": (sys.executable, _OURS, full, captures["small"]),
            "light": (sys.executable, _OURS, light, captures["small"]),
        }
        if options.peer_python:
            peer = (options.peer_python, _PEER, captures["benign"], captures["small"])
            arms[PEER] = peer
        packets = _packets(captures["once"])
        runs = _in_turn(arms, captures["once"], options.repeats)
        longer = _in_turn(arms, captures["ten_times"], options.repeats, peer=1)
        result = {
            "seed": options.seed,
            "python": platform.python_version(),
            "repeats": options.repeats,
            "packets": packets,
            "windows": round(packets / WINDOW, 1),
            **_speed(runs, packets),
            "peak_mb": {
                arm: {"once": _peak(runs[arm]), "ten_times": _peak(longer[arm])} for arm in arms
            },
        }
        if options.live:
            result["live"] = _live(folder)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def _in_turn(arms, capture: Path, repeats: int, *, peer: int | None = None) -> dict[str, list]:
    """Every arm so often (the peer perhaps less); in turn, so that a busy moment meets them all."""
    runs = {arm: [] for arm in arms}
    for repeat in range(repeats):
        for arm, words in arms.items():
            if arm != PEER or peer is None or repeat < peer:
                runs[arm].append(_python(*words, capture))
    return runs


def _peak(runs) -> dict[str, int]:
    peaks = [run["peak_mb"] for run in runs]
    return {"median": round(statistics.median(peaks)), "highest": round(max(peaks))}


def _speed(runs, packets: int) -> dict[str, object]:
    told = {}
    for arm, done in runs.items():
        rates = [packets / run["cpu_seconds"] for run in done]
        told[arm] = {
            "packets_per_cpu_second": round(statistics.median(rates)),
            "slowest_to_fastest": [round(min(rates)), round(max(rates))],
            "start_cpu_seconds": round(statistics.median(r["start_cpu_seconds"] for r in done), 2),
            "alerts": done[0]["alerts"],
        }
    rates = {arm: each["packets_per_cpu_second"] for arm, each in told.items()}
    peer = rates.pop(PEER, None)
    times = {arm: round(rate / peer, 1) for arm, rate in rates.items()} if peer else {}
    return {"arms": told, "times_nfstream_and_forest": times}


def _python(python: str, script: str, *words: Path) -> dict[str, float]:
    program = words[-1].with_name("arm.py")
    program.write_text(script)
    command = [python, str(program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}


def _repeat(capture: Path, longer: Path, times: int) -> None:
    """The capture's packets ``times`` over, each time two hours later."""
    import numpy as np

    raw = np.fromfile(capture, np.uint8)
    starts = np.array(_starts(raw.tobytes()))
    with longer.open("wb") as file:
        file.write(raw[:24].tobytes())
        for k in range(times):
            later = raw.copy()
            places = starts[:, None] + np.arange(4)
            seconds = raw[places].copy().view("<u4")[:, 0] + np.uint32(7200 * k)
            later[places] = seconds[:, None].view(np.uint8)
            file.write(later[24:].tobytes())


def _starts(raw: bytes) -> list[int]:
    at, places = 24, []
    while at + 16 <= len(raw):
        places.append(at)
        at += 16 + int.from_bytes(raw[at + 8 : at + 12], "little")
    return places


def _packets(capture: Path) -> int:
    return len(_starts(capture.read_bytes()))


_REPLAY = """
import json, os, signal, socket, subprocess, sys, time
frames, model = sys.argv[1:]
def ip(*words):
    subprocess.run(["ip", *words], check=True)
ip("link", "add", "watched", "type", "veth", "peer", "name", "sending")
for end in ("watched", "sending"):
    ip("link", "set", end, "up")
watcher = subprocess.Popen([sys.executable, "-m", "contraview", "detect", model, "watched"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
watcher.stderr.readline()  # it says that it has begun
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("sending", 0))
begun = time.time()
for line in open(frames):
    when, wire, frame = json.loads(line)
    time.sleep(max(begun + when - time.time(), 0))
    sender.send(bytes.fromhex(frame).ljust(min(wire, 1514), b"\\0"))
sent = time.time()
first = watcher.stdout.readline()
at = time.time()
watcher.send_signal(signal.SIGTERM)
watcher.communicate()
record = json.loads(first)
print(json.dumps({"replayed_seconds": round(sent - begun, 1),
                  "first_alert_after_first_packet_s": round(at - begun, 1),
                  "first_alert_after_last_packet_s": round(at - sent, 1),
                  "signature": record["alert"]["signature"]}))
"""


def _live(folder: Path) -> dict[str, object]:
    """Replay a scan of the lab over a veth pair in a namespace of its own."""
    import gzip

    from contraview.apps.detection.detector import Detector
    from contraview.modalities.flows.data import read_flows
    from contraview.modalities.flows.lab_traffic import day, flows

    if os.geteuid():
        return {"skipped": "a network namespace with a veth pair needs root"}
    model = folder / "lab"
    benign = read_flows(flows(1), benign="label == benign", labels="label", drop=("service",))
    Detector(light=True).fit(benign).save(model)
    with gzip.open(day(3)) as file:
        raw = file.read(12_000_000)
    begin = 1_795_661_938  # five seconds before the first scan of day 3
    frames = folder / "frames.jsonl"
    with frames.open("w") as file:
        for at in _starts(raw)[:-1]:
            seconds, fraction, captured, wire = (
                int.from_bytes(raw[at + k : at + k + 4], "little") for k in (0, 4, 8, 12)
            )
            when = seconds - begin + fraction / 1e6
            if 0 <= when < 15:
                line = [round(when, 6), wire, raw[at + 16 : at + 16 + captured].hex()]
                file.write(json.dumps(line) + "\n")
    program = folder / "replay.py"
    program.write_text(_REPLAY)
    command = ["unshare", "-n", sys.executable, str(program), str(frames), str(model)]
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout) | {"wall_seconds": round(time.time() - begun)}


assert HEADERS >= 96  # the meter reads headers alone
if __name__ == "__main__":
    main()
