"""A tiny lab from end to end, and what is left of one that is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from lab import sandbox

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.nightly


@pytest.fixture(autouse=True)
def permitted():
    """Skips where the lab cannot be built."""
    if missing := sandbox.missing():
        pytest.skip(f"the lab's tools are not installed: {', '.join(missing)}")
    mount = ["mount", "-t", "tmpfs", "lab", "/run"]
    probe = subprocess.run([*sandbox.command(), *mount], capture_output=True)
    if probe.returncode:
        pytest.skip(f"namespaces are not permitted here: {probe.stderr.decode().strip()}")


def build(out, *options):
    command = [sys.executable, "-m", "lab", "--out", str(out), *options]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def lab_processes():
    """Processes whose command line says that they are part of a lab."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word in (b"lab.day", b"lab.host") for word in words):
            found.append(int(entry.parent.name))
    return set(found)


def test_twenty_seconds_of_day_three(tmp_path):
    before = lab_processes()
    process = build(tmp_path, "--days", "3", "--minutes", "0.34")
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors.decode()
    assert lab_processes() <= before
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"day3.pcap.gz", "day3_flows.parquet", "day3_truth.parquet"}
    flows = pl.read_parquet(tmp_path / "day3_flows.parquet")
    found = set(flows["label"])
    assert {"benign", "port_scan", "dns_tunnel"} <= found
    assert "unmatched" not in found
    assert {"dns", "web", "tls", "ssh", "ftp", "database"} <= set(flows["service"])
    benign = flows.filter(label="benign")
    # Passwords are right: files come over data connections, shells answer at length.
    assert benign.filter(pl.col("dst_port").is_between(40_000, 40_999), service="ftp").height > 0
    assert benign.filter(service="ssh")["bwd_non_empty_pkt_cnt"].max() > 10


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(tmp_path, end):
    before, run_before = lab_processes(), set(Path("/run").iterdir())
    process = build(tmp_path, "--days", "1", "--minutes", "2")
    deadline = time.monotonic() + 60
    while len(lab_processes() - before) < 20 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert len(lab_processes() - before) >= 20
    time.sleep(5)
    process.send_signal(end)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while lab_processes() - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert lab_processes() <= before
    assert set(Path("/run").iterdir()) == run_before
    assert not list(tmp_path.glob("*.pcap.gz"))
