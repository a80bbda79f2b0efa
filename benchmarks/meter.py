"""The meter against nfstream on the same captures, in one run.

python benchmarks/meter.py --packets 1500000 --seed 0 --peer-python VENV/bin/python --out FILE

Three generated captures (the JSON has the figures of the first at its top):
  headers  heavy-tailed connections, 80 % TCP, 12 % IPv6, 2 % VLAN, 128 bytes kept of each frame.
           Of 20 packets a flow (median 7) with 420 bytes of payload each; benign flows of
           CIC-IDS2017 have 24 (4) with 647, those of UNSW-NB15 36 (8) with 590 (with headers).
  frames   the same kind, a third as many packets, whole frames.
  scan     a fifth as many packets, each a flow of its own: a SYN that nothing answers.

Each arm runs in a fresh interpreter, in turn, several times. The figure is the median of packets
metered per CPU second: user and system time of all its processes and threads. Imports and a first
small capture, which loads what is imported late, are not in it, but are told
(start_cpu_seconds); what a process does anew for each capture is.

What favours whom: nfstream leaves out IPv6 packets that were cut by the capture ("headers"), at a
small cost that its packets metered must bear; in "frames" it leaves out none. It makes
77 columns a flow, a Python object each, the meter 84 (75 statistics) in a table. Neither dissects
applications. nfstream's one metering process ends before its iterator does, so that its CPU time
is counted; the arm checks it.
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import platform
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

HEADERS, WHOLE = 128, 1514  # bytes kept of each frame
BLOCK = 50_000  # packets written at a time
FIN, SYN, PSH, ACK = 1, 2, 8, 16

_TIMING = """
import json, multiprocessing, resource, sys, time
def cpu():
    own, kin = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + kin.ru_utime + kin.ru_stime
def report(flows, packets, begin, wall):
    assert not multiprocessing.active_children(), "CPU time of a child is not counted"
    peak = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF,
                                                        resource.RUSAGE_CHILDREN))
    print(json.dumps({"cpu_seconds": cpu() - begin, "wall_seconds": time.perf_counter() - wall,
                      "start_cpu_seconds": begin, "flows": flows, "packets": packets,
                      "peak_mb": peak / 1024}))
"""

_WHOLE = (
    _TIMING
    + """
from contraview.modalities.flows.meter import meter
meter(sys.argv[2])
begin, wall = cpu(), time.perf_counter()
found = meter(sys.argv[1])
report(found.frame.height, found.counts.metered, begin, wall)
"""
)

_WINDOWED = (
    _TIMING
    + """
from contraview.modalities.flows.meter import stream
list(stream(sys.argv[2]))
begin, wall = cpu(), time.perf_counter()
flows = packets = 0
for part in stream(sys.argv[1]):
    flows, packets = flows + part.frame.height, packets + part.counts.metered
report(flows, packets, begin, wall)
"""
)

_NFSTREAM = (
    _TIMING
    + """
from nfstream import NFStreamer
def flows_of(path):
    return NFStreamer(source=path, statistical_analysis=True, n_dissections=0,
                      idle_timeout=120, active_timeout=1800, n_meters=1)
if __name__ == "__main__":
    list(flows_of(sys.argv[2]))
    begin, wall = cpu(), time.perf_counter()
    flows = packets = 0
    for flow in flows_of(sys.argv[1]):
        flows, packets = flows + 1, packets + flow.bidirectional_packets
    report(flows, packets, begin, wall)
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--packets", type=int, default=1_500_000, help="about so many (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-python", help="interpreter that has nfstream; left out without it")
    parser.add_argument("--out", type=Path, help="write the JSON here as well")
    options = parser.parse_args()

    arms = {"whole": (sys.executable, _WHOLE), "windowed": (sys.executable, _WINDOWED)}
    if options.peer_python:
        arms["nfstream"] = (options.peer_python, _NFSTREAM)
    with tempfile.TemporaryDirectory() as folder:
        captures = {name: Path(folder) / f"{name}.pcap" for name in ("headers", "frames", "scan")}
        small = Path(folder) / "small.pcap"
        # In a process of its own: a process begun by this one would count our peak memory as its.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            jobs = (
                (generate, small, 5_000, options.seed),
                (generate, captures["headers"], options.packets, options.seed),
                (generate, captures["frames"], options.packets // 3, options.seed, WHOLE),
                (generate_scan, captures["scan"], options.packets // 5),
            )
            for job in jobs:
                pool.submit(*job).result()
        figures = {}
        for name, capture in captures.items():
            runs = {arm: [] for arm in arms}
            for _ in range(options.repeats):  # in turn, so that a busy moment meets every arm
                for arm, (python, script) in arms.items():
                    runs[arm].append(_run(python, script, capture, small))
            figures[name] = {
                "megabytes": round(capture.stat().st_size / 1e6),
                **_compare({arm: _summary(done) for arm, done in runs.items()}),
            }
    result = {
        "seed": options.seed,
        "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"),
        "polars": importlib.metadata.version("polars"),
        "repeats": options.repeats,
        **figures.pop("headers"),
        **figures,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def _compare(arms: dict[str, dict[str, object]]) -> dict[str, object]:
    rates = {arm: summary["packets_per_cpu_second"] for arm, summary in arms.items()}
    peer = rates.pop("nfstream", None)
    times = {arm: round(rate / peer, 1) for arm, rate in rates.items()} if peer else {}
    return {"arms": arms, "times_nfstream": times}


def _run(python: str, script: str, capture: Path, small: Path) -> dict[str, float]:
    program = capture.with_name("arm.py")
    program.write_text(script)
    done = subprocess.run(
        [python, str(program), str(capture), str(small)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _summary(runs: list[dict[str, float]]) -> dict[str, object]:
    rates = [run["packets"] / run["cpu_seconds"] for run in runs]
    return {
        "packets_per_cpu_second": round(statistics.median(rates)),
        "slowest_to_fastest": [round(min(rates)), round(max(rates))],
        "start_cpu_seconds": round(statistics.median(run["start_cpu_seconds"] for run in runs), 2),
        "packets_metered": runs[0]["packets"],
        "flows": runs[0]["flows"],
        "peak_mb": round(max(run["peak_mb"] for run in runs)),
    }


def generate(path: Path, about: int, seed: int, snaplen: int = HEADERS) -> None:
    """Write a capture of ``about`` so many packets."""
    rng = np.random.default_rng(seed)
    connections = max(about // 24, 1)
    is_tcp = rng.random(connections) < 0.8
    data = np.minimum(rng.pareto(1.15, connections) * 3 + 1, about / 20).astype(np.int64)
    size = data + np.where(is_tcp, 5, 0)  # SYN, SYN-ACK, ACK, and a FIN each way
    conn = np.repeat(np.arange(connections), size)
    place = np.arange(conn.size) - np.repeat(np.cumsum(size) - size, size)
    left = size[conn] - place
    tcp = is_tcp[conn]
    flags = np.where(tcp, ACK, 0)
    flags[tcp & (place == 0)] = SYN
    flags[tcp & (place == 1)] = SYN | ACK
    flags[tcp & (left <= 2)] = FIN | ACK
    carries = ~tcp | ((place > 2) & (left > 2))
    push = carries & tcp & (rng.random(conn.size) < 0.3)
    flags[push] |= PSH
    back = rng.random(conn.size) < rng.uniform(0.2, 0.8, connections)[conn]
    back = np.where(carries, back, place % 2 == 1)
    payload = np.where(
        carries & (rng.random(conn.size) < 0.75), rng.integers(1, 1400, conn.size), 0
    )
    gap = np.exp(rng.normal(-5, 2.2, conn.size))
    gap[place == 0] = 0
    elapsed = np.cumsum(gap)
    elapsed -= np.repeat(elapsed[np.cumsum(size) - size], size)
    time = rng.uniform(0, 3600, connections)[conn] + np.minimum(elapsed, 3600)
    order = np.argsort(time, kind="stable")
    ends = {
        "six": rng.random(connections) < 0.12,
        "tagged": rng.random(connections) < 0.02,
        "tcp": is_tcp,
        "client": rng.integers(1, 20_000, connections),
        "server": rng.integers(20_000, 22_000, connections),
        "sport": rng.integers(32_768, 61_000, connections),
        "dport": rng.choice([22, 53, 80, 123, 443, 3306, 8080], connections),
    }
    with path.open("wb") as file:
        _write_header(file, snaplen)
        for begin in range(0, order.size, BLOCK):
            rows = order[begin : begin + BLOCK]
            chosen = {name: values[conn[rows]] for name, values in ends.items()}
            frames, length = _frames(chosen, back[rows], payload[rows], flags[rows], snaplen)
            _write(file, frames, length, time[rows] + 1_700_000_000)


def generate_scan(path: Path, packets: int) -> None:
    """Write a scan: each packet a SYN from a port that was not used before, 10,000 a second."""
    with path.open("wb") as file:
        _write_header(file, HEADERS)
        for begin in range(0, packets, BLOCK):
            k = np.arange(begin, min(begin + BLOCK, packets))
            no = np.zeros(k.size, bool)
            ends = {"six": no, "tagged": no, "tcp": ~no, "server": np.full(k.size, 20_000)}
            ends |= {"client": 1 + k // 60_000, "sport": 1 + k % 60_000, "dport": 80 + no}
            frames, length = _frames(ends, no, np.zeros(k.size, int), SYN + no, HEADERS)
            _write(file, frames, length, 1_700_000_000 + k * 1e-4)


def _frames(ends, back, payload, flags, snaplen) -> tuple[np.ndarray, np.ndarray]:
    """The first ``snaplen`` bytes of each frame, and its length on the wire."""
    n = back.size
    frames = np.zeros((n, snaplen), np.uint8)
    header = np.where(ends["tcp"], 20, 8)
    at = np.where(ends["tagged"], 18, 14)
    transport = at + np.where(ends["six"], 40, 20)

    def put(rows, where, values, width):
        big_endian = np.asarray(values, ">u4")[:, None].view(np.uint8)[:, 4 - width :]
        frames[rows[:, None], where[rows, None] + np.arange(width)] = big_endian

    everyone = np.arange(n)
    tagged = np.flatnonzero(ends["tagged"])
    put(tagged, np.full(n, 12), np.full(tagged.size, 0x81000005), 4)
    put(everyone, at - 2, np.where(ends["six"], 0x86DD, 0x0800), 2)
    source = np.where(back, ends["server"], ends["client"])
    target = np.where(back, ends["client"], ends["server"])
    protocol = np.where(ends["tcp"], 6, 17)
    for six, first, fields in (
        (
            False,
            0x45,
            ((2, 20 + header + payload, 2), (9, protocol, 1), (12, source, 4), (16, target, 4)),
        ),
        (
            True,
            0x60,
            ((4, header + payload, 2), (6, protocol, 1), (20, source, 4), (36, target, 4)),
        ),
    ):
        rows = np.flatnonzero(ends["six"] == six)
        put(rows, at, np.full(rows.size, first), 1)
        for offset, values, width in fields:
            put(rows, at + offset, values[rows] + (0x0A000000 if width == 4 else 0), width)
    put(everyone, transport, np.where(back, ends["dport"], ends["sport"]), 2)
    put(everyone, transport + 2, np.where(back, ends["sport"], ends["dport"]), 2)
    tcp, udp = np.flatnonzero(ends["tcp"]), np.flatnonzero(~ends["tcp"])
    put(tcp, transport + 12, 0x50 << 24 | flags[tcp] << 16 | 8192, 4)
    put(udp, transport + 4, 8 + payload[udp], 2)
    return frames, transport + header + payload


def _write_header(file, snaplen) -> None:
    file.write(np.array([0xA1B2C3D4, 4 << 16 | 2, 0, 0, snaplen, 1], "<u4").tobytes())


def _write(file, frames, length, time) -> None:
    kept = np.minimum(length, frames.shape[1])
    record = np.empty((kept.size, 4), "<u4")
    record[:, 0] = time
    record[:, 1] = (time % 1) * 1e6
    record[:, 2], record[:, 3] = kept, length
    rows = np.concatenate([record.view(np.uint8), frames], axis=1)
    file.write(rows[np.arange(rows.shape[1]) < 16 + kept[:, None]].tobytes())


if __name__ == "__main__":
    main()
