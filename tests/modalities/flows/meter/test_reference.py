"""All 75 columns against the per-packet reference."""

import gzip
import math

import meter_reference as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_frames import FIN, RST, START, SYN, ethernet, icmp, ip, pcap, tcp, udp

from contraview.modalities.flows.meter import MeterCounts, meter, stream
from contraview.modalities.flows.schema import STATISTICS

HOSTS = ("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")
# Gaps at, just below and just above every threshold: pause, idle, timeouts of both modes.
EDGES = tuple(s * 1_000_000 + d for s in (1, 5, 120, 240, 1800) for d in (-1, 0, 1))
GAPS = st.one_of(st.integers(0, 3), st.integers(0, 2_000_000), st.sampled_from(EDGES))
FLAGS = st.one_of(st.sampled_from((SYN, SYN | 16, 16, 24, FIN | 16, RST)), st.integers(0, 255))


@st.composite
def packets(draw, hosts=HOSTS[:2], icmp_too=True):
    a, b = hosts if draw(st.booleans()) else hosts[::-1]
    kind = draw(st.sampled_from(("tcp", "tcp", "tcp", "udp") + ("icmp",) * icmp_too))
    size = draw(st.one_of(st.just(0), st.integers(0, 1460)))
    forward = draw(st.booleans())
    port = draw(st.sampled_from((40_000, 40_001)))
    sport, dport = (port, 80) if a == min(hosts) else (80, port)
    if kind == "tcp":
        window, options = draw(st.integers(0, 65_535)), draw(st.sampled_from((0, 4, 20)))
        transport = tcp(sport, dport, size, draw(FLAGS), window, options)
    elif kind == "udp":
        transport = udp(sport, dport, size)
    else:
        transport = icmp(8 if forward else 0, 0, size)
    return draw(GAPS), ethernet(ip(a, b, transport))


def capture(steps):
    now, frames = START, []
    for gap, frame in steps:
        now += gap
        frames.append((now, frame))
    return pcap(frames)


def rows_of(frame):
    rows = {}
    names = list(STATISTICS)
    for row in frame.sort("timestamp", "flow_id").iter_rows(named=True):
        start = round(row["timestamp"].timestamp() * 1_000_000)
        key = row["flow_id"], start
        while key in rows:
            key = (*key, "again")
        rows[key] = {name: row[name] for name in names}
    return rows


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert row.keys() == set(STATISTICS)
        for name, value in row.items():
            assert math.isclose(found[key][name], value, rel_tol=1e-9, abs_tol=1e-6), (key, name)


def expected_std(data):
    decoded = [reference.decode(*record) for record in reference.read_pcap(data)]
    return reference.table(reference.std_flows([p for p in decoded if p]))


@given(st.lists(packets(), min_size=1, max_size=60))
@settings(max_examples=80)
def test_std_equals_the_reference(tmp_path, steps):
    data = capture(steps)
    path = tmp_path / "some.pcap"
    path.write_bytes(data)
    found = meter(path)
    assert_same(rows_of(found.frame), expected_std(data))
    assert found.counts.metered == found.counts.packets == len(steps)
    assert found.counts.flows == found.frame.height


@given(st.lists(packets(hosts=HOSTS[2:], icmp_too=False), min_size=1, max_size=30))
@settings(max_examples=40)
def test_ipv6_equals_the_reference(tmp_path, steps):
    data = capture(steps)
    path = tmp_path / "some.pcap"
    path.write_bytes(data)
    assert_same(rows_of(meter(path).frame), expected_std(data))


@given(st.lists(packets(icmp_too=False), min_size=1, max_size=60))
@settings(max_examples=80)
def test_lycos_equals_the_reference(tmp_path, steps):
    path = tmp_path / "some.pcap"
    path.write_bytes(capture(steps))
    decoded = [reference.decode(*record) for record in reference.read_pcap(path.read_bytes())]
    found = meter(path, "lycos")
    assert_same(rows_of(found.frame), reference.table(reference.lycos_flows(decoded), lycos=True))
    assert found.counts.metered + found.counts.discarded == len(steps)


@pytest.mark.parametrize("mode", ["std", "lycos"])
@given(
    steps=st.lists(packets(), min_size=1, max_size=40),
    window=st.sampled_from((1, 2, 3, 5, 8, 13, 21)),
)
@settings(max_examples=40)
def test_windows_equal_the_whole_file(tmp_path, mode, steps, window):
    path = tmp_path / "some.pcap"
    path.write_bytes(capture(steps))
    parts = list(stream(path, mode, window=window))
    found = {}
    for part in parts:
        assert part.counts.flows == part.frame.height
        for key, row in rows_of(part.frame).items():
            while key in found:
                key = (*key, "again")
            found[key] = row
    whole = meter(path, mode)
    assert_same(found, rows_of(whole.frame))
    assert sum((part.counts for part in parts), MeterCounts()) == whole.counts


def test_real_capture(shared_data, tmp_path):
    (packed,) = (shared_data / "nids").glob("slips_test19*.pcap.gz")
    data = gzip.decompress(packed.read_bytes())
    found = meter(packed)
    assert found.counts.packets == found.counts.metered == 1178
    assert_same(rows_of(found.frame), expected_std(data))
    for window in (70, 400, 2000):
        frames = [part.frame for part in stream(packed, window=window)]
        rows = {}
        for frame in frames:
            rows |= rows_of(frame)
        assert_same(rows, expected_std(data))


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
def test_a_flow_over_many_windows(tmp_path, window):
    """Bulks, idle times and both directions, cut at every place."""
    steps = []
    for k in range(40):
        gap = 6_000_000 if k % 13 == 12 else 400_000
        a, b = HOSTS[:2] if k % 11 < 8 else HOSTS[1::-1]
        ports = (40_000, 80) if a == HOSTS[0] else (80, 40_000)
        steps.append((gap, ethernet(ip(a, b, tcp(*ports, 100 + k)))))
    path = tmp_path / "long.pcap"
    path.write_bytes(capture(steps))
    rows = {}
    for part in stream(path, window=window):
        rows |= rows_of(part.frame)
    assert len(rows) == 1
    assert_same(rows, expected_std(path.read_bytes()))
    (row,) = rows.values()
    assert row["idle_max"] == 6_000_000
    assert row["fwd_bulk_pkt_mean"] > 4
