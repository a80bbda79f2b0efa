"""The meter against nfstream on the same capture, in one run.

python benchmarks/meter.py --packets 1500000 --seed 0 --peer-python VENV/bin/python --out FILE

The capture is generated: heavy-tailed connections, 80 % TCP, 12 % IPv6, 2 % VLAN, 128 bytes kept
of each frame. Each arm runs in a fresh interpreter, in turn, several times; the figure is the
median of packets per CPU second, all processes and threads counted, imports not.
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

SNAPLEN = 128
FIN, SYN, PSH, ACK = 1, 2, 8, 16

_TIMING = """
import json, resource, sys, time
def cpu():
    own, kin = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + kin.ru_utime + kin.ru_stime
def report(flows, packets, begin, wall):
    peak = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF,
                                                        resource.RUSAGE_CHILDREN))
    print(json.dumps({"cpu_seconds": cpu() - begin, "wall_seconds": time.perf_counter() - wall,
                      "flows": flows, "packets": packets, "peak_mb": peak / 1024}))
"""

_WHOLE = (
    _TIMING
    + """
from contraview.modalities.flows.meter import meter
begin, wall = cpu(), time.perf_counter()
found = meter(sys.argv[1])
report(found.frame.height, found.counts.metered, begin, wall)
"""
)

_WINDOWED = (
    _TIMING
    + """
from contraview.modalities.flows.meter import stream
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
if __name__ == "__main__":
    begin, wall = cpu(), time.perf_counter()
    flows = packets = 0
    for flow in NFStreamer(source=sys.argv[1], statistical_analysis=True, n_dissections=0,
                           idle_timeout=120, active_timeout=1800, n_meters=1):
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
        capture = Path(folder) / "generated.pcap"
        # In a process of its own: a process begun by this one would count our peak memory as its.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            packets = pool.submit(generate, capture, options.packets, options.seed).result()
        size = capture.stat().st_size
        runs = {name: [] for name in arms}
        for _ in range(options.repeats):  # in turn, so that a busy moment meets every arm
            for name, (python, script) in arms.items():
                runs[name].append(_run(python, script, capture, folder))
    figures = {name: _summary(done, packets) for name, done in runs.items()}
    result = {
        "capture": {"packets": packets, "megabytes": round(size / 1e6), "seed": options.seed},
        "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"),
        "polars": importlib.metadata.version("polars"),
        "repeats": options.repeats,
        "arms": figures,
    }
    if "nfstream" in figures:
        result["times_nfstream"] = {
            name: round(
                figures[name]["packets_per_cpu_second"]
                / figures["nfstream"]["packets_per_cpu_second"],
                1,
            )
            for name in ("whole", "windowed")
        }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def _run(python: str, script: str, capture: Path, folder: str) -> dict[str, float]:
    program = Path(folder) / "arm.py"
    program.write_text(script)
    done = subprocess.run(
        [python, str(program), str(capture)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _summary(runs: list[dict[str, float]], packets: int) -> dict[str, object]:
    rates = [packets / run["cpu_seconds"] for run in runs]
    return {
        "packets_per_cpu_second": round(statistics.median(rates)),
        "slowest_to_fastest": [round(min(rates)), round(max(rates))],
        "packets_metered": runs[0]["packets"],
        "flows": runs[0]["flows"],
        "peak_mb": round(max(run["peak_mb"] for run in runs)),
    }


def generate(path: Path, about: int, seed: int) -> int:
    """Write a capture of ``about`` so many packets; return how many."""
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
        file.write(np.array([0xA1B2C3D4, 4 << 16 | 2, 0, 0, SNAPLEN, 1], "<u4").tobytes())
        for begin in range(0, order.size, 200_000):
            rows = order[begin : begin + 200_000]
            chosen = {name: values[conn[rows]] for name, values in ends.items()}
            frames, length = _frames(chosen, back[rows], payload[rows], flags[rows])
            _write(file, frames, length, time[rows] + 1_700_000_000)
    return order.size


def _frames(ends, back, payload, flags) -> tuple[np.ndarray, np.ndarray]:
    """The first SNAPLEN bytes of each frame, and its length on the wire."""
    n = back.size
    frames = np.zeros((n, SNAPLEN), np.uint8)
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


def _write(file, frames, length, time) -> None:
    kept = np.minimum(length, SNAPLEN)
    record = np.empty((kept.size, 4), "<u4")
    record[:, 0] = time
    record[:, 1] = (time % 1) * 1e6
    record[:, 2], record[:, 3] = kept, length
    rows = np.concatenate([record.view(np.uint8), frames], axis=1)
    file.write(rows[np.arange(rows.shape[1]) < 16 + kept[:, None]].tobytes())


if __name__ == "__main__":
    main()
