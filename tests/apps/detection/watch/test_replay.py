"""A part of a lab day replayed over a veth pair, in a network namespace of its own: the watcher on
the other end gives the flows and the alerts of the packets that were sent.
"""

import json
import os
import shutil
import subprocess
import sys

import polars as pl
import pytest
from test_packets import BYTES, capture, meter_detector, meter_model  # noqa: F401

from contraview.modalities.flows.meter import meter

REPLAY = """
import json, os, signal, socket, subprocess, sys, time
model, frames, out, counters = sys.argv[1:]
def ip(*words):
    subprocess.run(["ip", *words], check=True)
ip("link", "add", "watched", "type", "veth", "peer", "name", "sending")
for end in ("watched", "sending"):
    with open(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6", "w") as file:
        file.write("1")  # it must not speak for itself
    ip("link", "set", end, "up")
command = [sys.executable, "-m", "contraview", "detect", model, "watched", "--out", out]
watcher = subprocess.Popen([*command, "--counters", counters], stderr=subprocess.PIPE, text=True)
watcher.stderr.readline()  # it says that it has begun
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("sending", 0))
sent = 0
with open(frames) as lines:
    for line in lines:
        sender.send(bytes.fromhex(line))
        sent += 1
        if sent % 100 == 0:
            time.sleep(0.01)
begun = time.monotonic()  # what waits in the ring when it is told to stop is not read
while time.monotonic() < begun + 600:
    if os.path.exists(counters) and json.load(open(counters))["received"] >= sent:
        break
    time.sleep(0.1)
watcher.send_signal(signal.SIGTERM)
said = watcher.communicate(timeout=600)[1]
print(json.dumps({"sent": sent, "code": watcher.returncode, "said": said}))
"""


@pytest.fixture(scope="module")
def replayed(capture, meter_model, tmp_path_factory):  # noqa: F811
    """What was sent and what the watcher wrote; the capture that was replayed."""
    if sys.platform != "linux" or not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs Linux with unshare and ip")
    folder = tmp_path_factory.mktemp("replay")
    path, frames, at = folder / "sent.pcap", [], 24
    while at + 16 <= len(capture):
        captured, wire = (int.from_bytes(capture[at + k : at + k + 4], "little") for k in (8, 12))
        frame = capture[at + 16 : at + 16 + captured]
        if len(frame) < captured:
            break
        frames.append(frame.ljust(wire, b"\0").hex() + "\n")  # the lab keeps headers alone
        at += 16 + captured
    path.write_bytes(capture[:at])
    (folder / "frames").write_text("".join(frames))
    (folder / "replay.py").write_text(REPLAY)
    words = [meter_model, folder / "frames", folder / "alerts.jsonl", folder / "counters.json"]
    command = ["unshare", "-rn" if os.geteuid() else "-n", sys.executable, folder / "replay.py"]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *words], capture_output=True, text=True, env=settings)
    if done.returncode and ("unshare" in done.stderr or "not permitted" in done.stderr):
        pytest.skip(f"no namespace with a veth pair can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder, path


def test_every_packet_that_was_sent_is_received(replayed):
    told, folder, path = replayed
    counters = json.loads((folder / "counters.json").read_text())
    assert told["code"] == 0, told["said"]
    assert counters["dropped"] == counters["malformed"] == 0
    assert counters["received"] == told["sent"] == meter(path).counts.packets > 10_000


def test_alerts_are_of_flows_that_were_sent(replayed):
    _, folder, path = replayed
    counters = json.loads((folder / "counters.json").read_text())
    sent = meter(path).frame.with_columns(pl.col("src_addr", "dst_addr").cast(pl.String))
    known = set(sent.select("src_addr", "src_port", "dst_addr", "dst_port").rows())
    lines = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    alerts = [line for line in lines if "score" in line["contraview"]]
    assert len(alerts) == counters["alerts"] > 3
    assert len({alert["contraview"]["id"] for alert in alerts}) == len(alerts)
    assert {tuple(alert[end] for end in ENDS) for alert in alerts} <= known
    # Time went faster than in the capture: flows that a pause had parted are one.
    assert len(known) <= counters["flows"] <= sent.height


ENDS = ("src_ip", "src_port", "dest_ip", "dest_port")
