"""Counters against other tools on the same capture; each is skipped where it is not installed."""

import collections
import json
import os
import random
import shutil
import subprocess

import polars as pl
import pytest
from meter_frames import ACK, FIN, PSH, START, SYN, ethernet, ip, pcap, tcp, udp

from contraview.modalities.flows.meter import meter

NFSTREAM = """
import json, sys
from nfstream import NFStreamer
if __name__ == "__main__":
    rows = [[f.src_ip, f.dst_ip, f.src_port, f.dst_port, f.protocol, f.bidirectional_first_seen_ms,
             f.src2dst_packets, f.dst2src_packets, f.src2dst_bytes, f.dst2src_bytes,
             f.src2dst_psh_packets, f.dst2src_psh_packets]
            for f in NFStreamer(source=sys.argv[1], statistical_analysis=True, n_dissections=0,
                                idle_timeout=120, active_timeout=1800, n_meters=1,
                                accounting_mode=3)]
    print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """400 conversations over ten minutes, interleaved: TCP with its handshake and end, UDP."""
    rng = random.Random(5)
    frames = []
    for k in range(400):
        a, b = f"10.0.{k % 7}.{k % 50 + 1}", f"10.1.0.{k % 11 + 1}"
        if k % 9 == 0:
            a, b = f"2001:db8::{k:x}", "2001:db8:1::1"
        sport, dport = 20_000 + k, rng.choice((80, 443, 53))
        now, steps = START + rng.randrange(500_000_000), []
        sizes = [
            (rng.random() < 0.4, rng.choice((0, rng.randrange(1400)))) for _ in range(k % 40 + 1)
        ]
        if k % 4:
            steps = [(False, tcp(sport, dport, 0, SYN)), (True, tcp(dport, sport, 0, SYN | ACK))]
            for back, size in sizes:
                ends = (dport, sport) if back else (sport, dport)
                steps.append((back, tcp(*ends, size, ACK | rng.choice((0, PSH)))))
            steps.append((False, tcp(sport, dport, 0, FIN | ACK)))
        else:
            steps = [(False, udp(sport, dport, 20))]
            steps += [(b_, udp(*((dport, sport) if b_ else (sport, dport)), n)) for b_, n in sizes]
        for back, transport in steps:
            frames.append((now, ethernet(ip(b, a, transport) if back else ip(a, b, transport))))
            now += rng.randrange(1, rng.choice((1_000, 200_000, 150_000_000)))
    frames.sort(key=lambda frame: frame[0])
    path = tmp_path_factory.mktemp("peers") / "capture.pcap"
    path.write_bytes(pcap(frames))
    return path


def test_nfstream_sees_the_same_flows(capture, tmp_path):
    python = os.environ.get("CONTRAVIEW_PEERS")
    if not python:
        pytest.skip("set CONTRAVIEW_PEERS to a Python that has nfstream to run this")
    script = tmp_path / "peer.py"
    script.write_text(NFSTREAM)
    done = subprocess.run([python, script, capture], capture_output=True, text=True, check=True)
    theirs = collections.Counter(tuple(row) for row in json.loads(done.stdout.splitlines()[-1]))
    ours = meter(capture).frame.with_columns(pl.col("timestamp").dt.epoch("ms").alias("start"))
    columns = ["src_addr", "dst_addr", "src_port", "dst_port", "ip_prot", "start"]
    columns += [
        f"{way}_{what}" for what in ("pkt_cnt", "pkt_len_tot", "flag_psh") for way in ("fwd", "bwd")
    ]
    assert ours.height > 400
    assert collections.Counter(ours.select(columns).iter_rows()) == theirs


def test_argus_counts_the_same_packets(capture, tmp_path):
    if not (shutil.which("argus") and shutil.which("ra")):
        pytest.skip("argus and ra are not installed")
    records = tmp_path / "capture.argus"
    subprocess.run(["argus", "-r", capture, "-w", records], check=True, capture_output=True)
    fields = ["-s", "proto", "saddr", "sport", "daddr", "dport", "pkts"]
    listing = subprocess.run(
        ["ra", "-n", "-c", ",", "-r", records, *fields, "-", "ip"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    theirs = collections.Counter()
    for line in listing.splitlines()[1:]:
        proto, src, sport, dst, dport, packets = line.split(",")
        if proto in ("tcp", "udp"):
            theirs[frozenset(((src, int(sport)), (dst, int(dport)))), proto] += int(packets)
    ours = collections.Counter()
    for src, sport, dst, dport, protocol, fwd, bwd in (
        meter(capture)
        .frame.select(
            "src_addr", "src_port", "dst_addr", "dst_port", "ip_prot", "fwd_pkt_cnt", "bwd_pkt_cnt"
        )
        .iter_rows()
    ):
        ends = frozenset(((src, sport), (dst, dport)))
        ours[ends, "tcp" if protocol == 6 else "udp"] += round(fwd + bwd)
    assert ours == theirs


def test_tshark_reads_the_same_lengths_and_flags(capture):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    names = ["ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport", "tcp.len", "tcp.flags.push"]
    listing = subprocess.run(
        ["tshark", "-n", "-r", capture, "-Y", "tcp", "-T", "fields", "-E", "separator=,"]
        + [part for name in names for part in ("-e", name)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    theirs = collections.defaultdict(lambda: [0, 0, 0])
    for line in listing.splitlines():
        v4, v6, sport, dport, length, push = line.split(",")
        counts = theirs[v4 or v6, int(sport), int(dport)]
        for k, amount in enumerate((1, int(length), push in ("1", "True"))):
            counts[k] += amount
    ours = collections.defaultdict(lambda: [0, 0, 0])
    flows = meter(capture).frame.filter(pl.col("ip_prot") == 6)
    for way, source, sport, dport in (
        ("fwd", "src_addr", "src_port", "dst_port"),
        ("bwd", "dst_addr", "dst_port", "src_port"),
    ):
        figures = [f"{way}_pkt_cnt", f"{way}_pkt_len_tot", f"{way}_flag_psh"]
        for *ends, packets, size, push in flows.select(source, sport, dport, *figures).iter_rows():
            counts = ours[tuple(ends)]
            for k, amount in enumerate((packets, size, push)):
                counts[k] += amount
    assert {ends: counts for ends, counts in ours.items() if counts[0]} == dict(theirs)
