"""Capture formats, link types and header stacks."""

import gzip
import io
import struct
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from meter_frames import (
    ACK,
    START,
    enhanced,
    ethernet,
    gre,
    icmp,
    interface,
    ip,
    ipv4,
    ipv6,
    pcap,
    section,
    simple,
    tcp,
    udp,
)

from contraview.modalities.flows.meter import grouping, meter, stream, windows
from contraview.modalities.flows.meter.feed import Feed

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"
INNER = ip(A, B, udp(5000, 53, 30))


def metered(data, tmp_path, mode="std"):
    path = tmp_path / "capture"
    path.write_bytes(data)
    return meter(path, mode)


def one_flow(frame, tmp_path, *wire):
    found = metered(pcap([(START, frame, *wire)]), tmp_path)
    assert found.counts.metered == 1, found.counts
    return found.frame.row(0, named=True), found.counts


TWO = [
    (START, ethernet(ip(A, B, tcp(5000, 80, 10, ACK)))),
    (START + 1500, ethernet(ip(B, A, tcp(80, 5000, 20, ACK)))),
]


def test_hand_computed_flow(tmp_path):
    """Three packets, worked out on paper."""
    frames = [
        (START, ethernet(ip(A, B, tcp(5000, 80, 0, 2, window=64_240, options=4)))),
        (START + 1_000, ethernet(ip(B, A, tcp(80, 5000, 0, 18, window=65_160)))),
        (START + 4_000, ethernet(ip(A, B, tcp(5000, 80, 90, 24)))),
    ]
    found = metered(pcap(frames), tmp_path)
    row = found.frame.row(0, named=True)
    assert row["flow_id"] == "10.0.0.1-10.0.0.2-5000-80-6"
    assert row["timestamp"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert row["last_seen"] == datetime(2023, 11, 14, 22, 13, 20, 4_000, tzinfo=UTC)
    expected = {
        "flow_duration": 4_000,
        "down_up_ratio": 0.5,
        "pkt_len_mean": 30,
        "pkt_len_var": 2_700,
        "bytes_per_s": 22_500,
        "pkt_per_s": 750,
        "fwd_pkt_cnt": 2,
        "fwd_pkt_len_tot": 90,
        "fwd_pkt_hdr_len_tot": 44,
        "fwd_pkt_hdr_len_min": 20,
        "fwd_non_empty_pkt_cnt": 1,
        "bwd_pkt_len_max": 0,
        "iat_max": 3_000,
        "iat_min": 1_000,
        "iat_mean": 2_000,
        "fwd_iat_tot": 4_000,
        "bwd_iat_mean": 0,
        "active_max": 0,
        "flag_SYN": 2,
        "flag_ack": 2,
        "fwd_flag_psh": 1,
        "bwd_flag_psh": 0,
        "fwd_subflow_pkt_mean": 2,
        "fwd_tcp_init_win_bytes": 64_240,
        "bwd_tcp_init_win_bytes": 65_160,
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pcap_variants(order, nano, pack, tmp_path):
    found = metered(pack(pcap(TWO, order=order, nano=nano)), tmp_path)
    plain = metered(pcap(TWO), tmp_path)
    assert found.frame.equals(plain.frame)
    assert found.frame["flow_duration"].to_list() == [1500]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_sections_interfaces_and_units(order, tmp_path):
    other = "<" if order == ">" else ">"
    (t0, first), (t1, second) = TWO
    late = ethernet(ip(A, B, udp(1, 2)))
    data = b"".join(
        [
            section(order),
            interface(order),
            interface(order, unit=9),
            interface(order, unit=0x80 | 20, offset=1_000_000_000),
            interface(order, link=105),
            enhanced(t0, first, order, number=0),
            enhanced(t1 * 1000 + 999, second, order, number=1),
            simple(ethernet(ip(A, B, udp(7, 8))), order),
            enhanced(0, b"802.11 is not read", order, number=3),
            enhanced(0, b"no such interface", order, number=9),
            enhanced(
                (((t1 // 1_000_000) - 1_000_000_000) << 20) + (1 << 19), late, order, number=2
            ),
            section(other, comment=b"x" * 201),  # a length that reads differently from each side
            interface(other, link=101),
            enhanced(t1 + 600_000, INNER, other),
        ]
    )
    found = metered(data, tmp_path)
    assert found.counts.packets == 7
    assert found.counts.metered == 5
    assert found.counts.unknown_link == 2
    assert found.counts.cut_short == 0
    rows = {row["flow_id"]: row for row in found.frame.iter_rows(named=True)}
    assert rows["10.0.0.1-10.0.0.2-5000-80-6"]["flow_duration"] == 1500
    begins = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (rows["10.0.0.1-10.0.0.2-7-8-17"]["timestamp"] - begins).microseconds == 1500
    assert (rows["10.0.0.1-10.0.0.2-1-2-17"]["timestamp"] - begins).microseconds == 500_000
    assert (rows["10.0.0.1-10.0.0.2-5000-53-17"]["timestamp"] - begins).microseconds == 601_500


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (101, b""),
        (12, b""),
        (0, struct.pack("<I", 2)),
        (108, struct.pack(">I", 2)),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
def test_link_types(link, head, tmp_path):
    found = metered(pcap([(START, head + INNER)], link=link), tmp_path)
    assert found.frame["flow_id"].to_list() == ["10.0.0.1-10.0.0.2-5000-53-17"]
    assert found.frame["fwd_pkt_len_tot"].to_list() == [30]


HOP_BY_HOP = (0, b"\x00" + bytes(6))
DESTINATION = (60, b"\x01" + bytes(14))
FIRST_FRAGMENT = (44, b"\x00" + struct.pack(">HI", 1, 99))
LATER_FRAGMENT = (44, b"\x00" + struct.pack(">HI", 185 << 3, 99))
AUTHENTICATION = (51, b"\x04" + bytes(22))


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(INNER),
        ethernet(INNER, tags=(0x8100,)),
        ethernet(INNER, tags=(0x88A8, 0x8100)),
        ethernet(ipv4(A, B, udp(5000, 53, 30), options=12)),
        ethernet(ipv4(A, B, udp(5000, 53, 30), total=0)),
        ethernet(INNER) + bytes(20),  # padding after the packet
    ],
)
def test_header_stacks(frame, tmp_path):
    row, counts = one_flow(frame, tmp_path)
    assert row["flow_id"] == "10.0.0.1-10.0.0.2-5000-53-17"
    assert row["fwd_pkt_len_tot"] == 30
    assert row["fwd_pkt_hdr_len_tot"] == 8
    assert counts.tunnels == counts.clamped == 0


@pytest.mark.parametrize(
    "extensions",
    [(), (HOP_BY_HOP,), (HOP_BY_HOP, DESTINATION), (FIRST_FRAGMENT,), (AUTHENTICATION,)],
)
def test_ipv6_extensions(extensions, tmp_path):
    frame = ethernet(ipv6(A6, B6, tcp(5000, 80, 17), extensions=extensions))
    row, _ = one_flow(frame, tmp_path)
    assert row["flow_id"] == "2001:db8::1-2001:db8::2-5000-80-6"
    assert row["fwd_pkt_len_tot"] == 17


@pytest.mark.parametrize(
    "outer",
    [
        ip("1.1.1.1", "2.2.2.2", (4, INNER)),
        ip("1.1.1.1", "2.2.2.2", gre(INNER)),
        ip("1.1.1.1", "2.2.2.2", gre(INNER, flags=0xB000)),  # checksum, key, sequence number
        ip("1.1.1.1", "2.2.2.2", gre(ethernet(INNER), kind=0x6558)),
        ip("1.1.1.1", "2.2.2.2", gre(ethernet(INNER, tags=(0x8100,)), kind=0x6558)),
        ip(A6, B6, (4, INNER)),
        ip("1.1.1.1", "2.2.2.2", (4, ip("3.3.3.3", "4.4.4.4", gre(INNER)))),
    ],
)
def test_tunnels_are_opened(outer, tmp_path):
    row, counts = one_flow(ethernet(outer), tmp_path)
    assert row["flow_id"] == "10.0.0.1-10.0.0.2-5000-53-17"
    assert row["fwd_pkt_len_tot"] == 30
    assert counts.tunnels == 1


def test_6in4_among_plain_packets(tmp_path):
    frames = [
        TWO[0],
        (START + 1, ethernet(ip("1.1.1.1", "2.2.2.2", (41, ip(A6, B6, udp(1, 2, 5)))))),
        TWO[1],
    ]
    found = metered(pcap(frames), tmp_path)
    assert found.counts.tunnels == 1
    assert "2001:db8::1-2001:db8::2-1-2-17" in found.frame["flow_id"].to_list()


@pytest.mark.parametrize(
    ("transport", "protocol", "size"),
    [(gre(bytes(40), kind=0x880B, flags=0x2001), 47, 48), ((4, b"\x13junk"), 4, 5)],
)
def test_a_tunnel_that_cannot_be_read_is_a_flow_itself(transport, protocol, size, tmp_path):
    row, counts = one_flow(ethernet(ip(A, B, transport)), tmp_path)
    assert (row["ip_prot"], row["src_port"], row["fwd_pkt_len_tot"]) == (protocol, 0, size)
    assert counts.tunnels == 0


def test_icmp_question_and_answer_are_one_flow(tmp_path):
    frames = [
        (START, ethernet(ip(A, B, icmp(8, payload=56)))),
        (START + 9, ethernet(ip(B, A, icmp(0, payload=56)))),
        (START + 20, ethernet(ip(B, A, icmp(3, code=1, payload=28)))),
        (START + 30, ethernet(ip(A6, B6, icmp(135, protocol=58)))),
        (START + 40, ethernet(ip(B6, A6, icmp(136, protocol=58)))),
    ]
    found = metered(pcap(frames), tmp_path)
    rows = dict(found.frame.select("flow_id", "bwd_pkt_cnt").iter_rows())
    assert rows == {
        "10.0.0.1-10.0.0.2-8-0-1": 1,
        "10.0.0.2-10.0.0.1-3-1-1": 0,
        "2001:db8::1-2001:db8::2-135-136-58": 1,
    }


@pytest.mark.parametrize(
    ("frame", "fate"),
    [
        (ethernet(bytes(28), kind=0x0806), "not_ip"),
        (ethernet(bytes(46), kind=40), "not_ip"),
        (ethernet(b"\x50" + bytes(40), kind=0x0800), "not_ip"),
        (ethernet(b"", kind=0x0800), "truncated"),
        (b"abc", "truncated"),
        (ethernet(INNER)[:30], "truncated"),
        (ethernet(INNER)[:35], "truncated"),
        (ethernet(ip(A, B, tcp(1, 2)))[:45], "truncated"),
        (ethernet(ip(A6, B6, tcp(1, 2)))[:50], "truncated"),
        (ethernet(ipv4(A, B, (17, b"abc"))), "malformed"),
        (ethernet(ipv4(A, B, udp(1, 2), total=19)), "malformed"),
        (ethernet(b"\x44" + INNER[1:]), "malformed"),
        (ethernet(ipv4(A, B, (6, tcp(1, 2)[1][:12] + b"\x40" + bytes(7)))), "malformed"),
        (ethernet(ipv6(A6, B6, udp(1, 2), extensions=[HOP_BY_HOP] * 9)), "malformed"),
        (ethernet(ipv4(A, B, udp(1, 2), fragment=100)), "later_fragments"),
        (ethernet(ipv6(A6, B6, udp(1, 2), extensions=[LATER_FRAGMENT])), "later_fragments"),
    ],
)
def test_rejected_by_kind(frame, fate, tmp_path):
    wire = max(len(frame), 100 if fate == "truncated" else 0)
    found = metered(pcap([TWO[0], (START, frame, wire), TWO[1]]), tmp_path)
    assert getattr(found.counts, fate) == 1, found.counts
    assert found.counts.metered == 2
    assert found.frame["flow_id"].to_list() == ["10.0.0.1-10.0.0.2-5000-80-6"]


def test_first_fragment_is_metered(tmp_path):
    row, _ = one_flow(ethernet(ipv4(A, B, udp(5000, 53, 40), fragment=0x2000)), tmp_path)
    assert row["fwd_pkt_len_tot"] == 40


def test_a_length_beyond_the_wire_is_clamped(tmp_path):
    row, counts = one_flow(ethernet(ipv4(A, B, tcp(1, 2, 8), total=5012)), tmp_path)
    assert counts.clamped == 1
    assert row["fwd_pkt_len_tot"] == 8


def test_snaplen_does_not_shorten_lengths(tmp_path):
    frame = ethernet(ip(A, B, tcp(1, 2, 1000)))
    row, counts = one_flow(frame[:60], tmp_path, len(frame))
    assert counts.clamped == 0
    assert row["fwd_pkt_len_tot"] == 1000


def test_lycos_reads_plain_ipv4_only(tmp_path):
    frames = [
        (START, ethernet(ip(A6, B6, udp(1, 2)))),
        (START, ethernet(INNER, tags=(0x8100,))),
        (START, ethernet(ip(A, B, (47, bytes(8))))),
        (START, ethernet(ip(A, B, udp(1, 2)))),
        (START + 1, ethernet(ip(A, B, icmp(8)))),
        (START + 121_000_000, ethernet(ip(A, B, udp(3, 4)))),
    ]
    found = metered(pcap(frames), tmp_path, "lycos")
    assert found.counts.outside_mode == 3
    assert found.counts.metered == 3
    assert found.frame["flow_id"].to_list() == [
        "10.0.0.1-10.0.0.2-1-2-17",
        "10.0.0.1-10.0.0.2-0-0-1",
    ]


def test_clock_a_little_and_far_behind(tmp_path):
    def frame(port):
        return ethernet(ip(A, B, udp(port, 53, 1)))

    hour = 3_600_000_000
    frames = [
        (START, frame(1)),
        (START + 500, frame(1)),
        (START + 300, frame(1)),  # behind: takes the time of the one before
        (START - hour, frame(1)),  # pasted from an older capture: a new flow
        (START - hour + 7, frame(1)),
    ]
    for window in (1, 2, 3, 10):
        parts = list(stream(io.BytesIO(pcap(frames)), window=window))
        flows = pl.concat([part.frame for part in parts])
        assert sorted(flows["flow_duration"].to_list()) == [7, 500]
        assert sum(part.counts.clock_backward for part in parts) == 2
        stamps = flows.sort("timestamp")["timestamp"].dt.epoch("us").to_list()
        assert stamps == [START - hour, START]


def test_too_many_open_flows_are_ended_early_and_counted(tmp_path):
    frames = [(START + k, ethernet(ip(A, B, udp(1000 + k, 53)))) for k in range(50)]
    parts = list(stream(io.BytesIO(pcap(frames)), window=10, max_open=15))
    assert sum(part.counts.evicted for part in parts) == 35
    ended = pl.concat([part.frame for part in parts])
    assert sorted(ended["src_port"].to_list()) == [1000 + k for k in range(50)]
    assert max(part.frame.height for part in parts) <= 15


def test_large_captures_use_lanes(tmp_path, monkeypatch):
    """Enough bytes for the walk in step; equal to the walk one by one."""
    from contraview.modalities.flows.meter import walk

    frames = [
        (START + 37 * k, ethernet(ip(A, B, tcp(1000 + k % 97, 80, k * 7919 % 1400))))
        for k in range(3000)
    ]
    clean = pcap(frames)
    ng = section() + interface() + b"".join(enhanced(t, frame) for t, frame in frames)
    quick = [metered(data, tmp_path) for data in (clean, ng)]
    used = []
    step = walk._step
    monkeypatch.setattr(walk, "_step", lambda *a: used.append(1) or step(*a))
    assert metered(clean, tmp_path).frame.equals(quick[0].frame)
    assert not used
    monkeypatch.setattr(walk, "_LANES", 1)
    slow = [metered(data, tmp_path) for data in (clean, ng)]
    assert used
    for a, b in zip(quick, slow, strict=True):
        assert a.counts == b.counts
        assert a.frame.equals(b.frame)
    assert quick[0].frame.equals(quick[1].frame)
    assert quick[0].counts.metered == 3000


def test_lanes_are_not_fooled_by_records_inside_payloads(tmp_path):
    """Payloads full of records: any lane begun inside one lands wrong, and the walk says so."""
    decoy = pcap([(START, ethernet(INNER))] * 20)[24:]
    inside = ethernet(ip(A, B, (17, udp(1, 2)[1][:4] + struct.pack(">HH", 8, 0) + decoy)))
    data = pcap([(START + k, inside) for k in range(200)])
    found = metered(data, tmp_path)
    assert found.counts.packets == found.counts.metered == 200
    assert found.frame.height == 1


@pytest.mark.parametrize("chunk", [64, 97, 1000])
def test_small_chunks_change_nothing(chunk, tmp_path, monkeypatch):
    """Records, sections and gzip members cut at every place between two reads."""
    frames = [(START + k, ethernet(ip(A, B, udp(k % 5, 53, 11 * k)))) for k in range(40)]
    ng = section() + interface() + b"".join(enhanced(t, frame) for t, frame in frames[:20])
    ng += section(">") + interface(">")
    ng += b"".join(enhanced(t, frame, ">") for t, frame in frames[20:])
    captures = [pcap(frames), ng, gzip.compress(ng)]
    whole = [metered(data, tmp_path) for data in captures]
    monkeypatch.setattr(windows, "Feed", lambda source: Feed(source, chunk))
    for data, expected in zip(captures, whole, strict=True):
        found = metered(data, tmp_path)
        assert found.counts == expected.counts
        assert found.counts.metered == 40
        ours, theirs = (side.frame.sort("flow_id") for side in (found, expected))
        for name in ("flow_id", "flow_duration", "fwd_pkt_len_tot"):
            assert ours[name].to_list() == theirs[name].to_list()
        assert ours["iat_std"].to_list() == pytest.approx(theirs["iat_std"].to_list())


def test_conversations_that_share_a_hash_are_told_apart(tmp_path, monkeypatch):
    frames = [
        (START + k, ethernet(ip(*((A, B) if k % 2 else (B, A)), udp(7, 7, k)))) for k in range(9)
    ]
    frames += [(START + 100 + k, ethernet(ip(A6, B6, udp(k % 3, 53)))) for k in range(9)]
    expected = metered(pcap(frames), tmp_path)
    monkeypatch.setattr(grouping, "conversation_hash", lambda ends: ends.service * np.uint64(0))
    found = metered(pcap(frames), tmp_path)
    assert found.frame.equals(expected.frame)
    assert found.frame.height == 4
