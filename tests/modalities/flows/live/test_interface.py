"""An interface, in a network namespace of its own: the same packets as on the wire."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import contraview.modalities.flows.live.interface as interface
from contraview.core.errors import InputError

WITHIN = """
import json, socket, sys
from contraview.modalities.flows.live.interface import InterfaceSupply
from contraview.modalities.flows.live.packets import PacketSource
from contraview.modalities.flows.live.source import SystemClock
source = PacketSource(InterfaceSupply("lo"), "std", clock=SystemClock())
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 5353))
got = 0
for k in range(200):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 20000 + k))
        client.sendto(b"x" * (100 + k), ("127.0.0.1", 5353))
dropped = 0
for _ in range(20):
    batch = source.read(0.2)
    got += batch.received
    dropped += batch.dropped
    if got >= 400:
        break
rows = source.rest().rows
source.close()
print(json.dumps({"packets": got, "dropped": dropped, "flows": rows.height,
                  "ports": sorted(rows["src_port"].to_list()),
                  "bytes": sorted(rows["fwd_pkt_len_max"].to_list()),
                  "delay": source.delay}))
"""


def test_the_packets_of_an_interface_are_metered():
    unshare = shutil.which("unshare")
    if not unshare or not interface.__file__:
        pytest.skip("needs unshare")
    setup = "ip link set lo up && exec " + sys.executable + ' -c "$SCRIPT"'
    command = [unshare, "-rn" if os.geteuid() else "-n", "sh", "-c", setup]
    environment = {**os.environ, "SCRIPT": WITHIN, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["flows"] == 200
    assert found["ports"] == list(range(20000, 20200))
    assert found["bytes"] == list(range(100, 300))
    assert found["dropped"] == 0
    assert "1,923 s (active time-out 1,800 s, idle time-out 120 s)" in found["delay"]


def test_without_the_right_one_line_says_which_to_grant(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(interface.socket, "socket", refuse)
    with pytest.raises(InputError, match=r"cap_net_raw: run it with sudo, or .*setcap"):
        interface.InterfaceSupply("lo")
