"""What is wrong is said in one line; what is broken is counted; nothing crashes."""

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_frames import (
    START,
    enhanced,
    ethernet,
    gre,
    icmp,
    interface,
    ip,
    ipv4,
    pcap,
    section,
    simple,
    tcp,
    udp,
)

from contraview.core.errors import InputError
from contraview.modalities.flows.meter import Mode, meter, stream

A, B = "10.0.0.1", "10.0.0.2"
FRAMES = [
    ethernet(ip(A, B, tcp(1, 2, 30))),
    ethernet(ip("2001:db8::1", "2001:db8::2", udp(3, 4, 9)), tags=(0x8100,)),
    ethernet(ip(A, B, gre(ip(B, A, icmp(8))))),
    ethernet(ipv4(A, B, udp(5, 6), fragment=0x2000)),
    ethernet(ip(B, A, tcp(2, 1, 0, 17))),
]
PCAP = pcap([(START + 1000 * k, FRAMES[k % 5]) for k in range(20)])
PCAPNG = (
    section()
    + interface(unit=9)
    + b"".join(enhanced((START + k) * 1000, FRAMES[k % 5]) for k in range(10))
    + simple(FRAMES[0])
    + section(">")
    + interface(">")
    + b"".join(enhanced(START + k, FRAMES[k % 5], ">") for k in range(10))
)


def read(data, mode="std", window=7):
    parts = list(stream(io.BytesIO(data), mode, window=window))
    counts = sum((part.counts for part in parts[1:]), parts[0].counts)
    fates = ("metered", "truncated", "not_ip", "unknown_link", "malformed", "later_fragments")
    fates += ("outside_mode", "discarded")
    assert counts.packets == sum(getattr(counts, fate) for fate in fates)
    for part in parts:
        assert part.counts.flows == part.frame.height
        assert not any(series.is_nan().any() for series in part.frame if series.dtype.is_float())
    return counts


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_refused_with_one_line(tmp_path):
    empty, text, cut = tmp_path / "empty.pcap", tmp_path / "notes.txt", tmp_path / "cut.pcap"
    empty.write_bytes(b"")
    text.write_text("not a capture")
    cut.write_bytes(PCAP[:13])
    wifi = tmp_path / "wifi.pcap"
    wifi.write_bytes(pcap([], link=105))
    section_cut, no_section = tmp_path / "cut.pcapng", tmp_path / "no.pcapng"
    section_cut.write_bytes(PCAPNG[:20])
    no_section.write_bytes(PCAPNG[:8] + bytes(40))
    packed = tmp_path / "cut.pcap.gz"
    packed.write_bytes(gzip.compress(PCAP)[:12])
    for path, words in (
        (tmp_path / "none.pcap", "no such file"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (text, "no pcap or pcapng capture"),
        (cut, "cut after 13 bytes, inside its header"),
        (wifi, "link type 105 is not read"),
        (section_cut, "inside its header"),
        (no_section, "no pcapng section header"),
        (packed, "no pcap or pcapng capture"),
    ):
        with pytest.raises(InputError) as caught:
            meter(path)
        message = one_line(caught)
        assert message.startswith(str(path))
        assert words in message
        assert "expected" in message


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="meter mode 'netflow' is not known"):
        Mode.named("netflow")
    with pytest.raises(InputError, match="window: 0 packets"):
        next(stream(io.BytesIO(PCAP), window=0))
    with pytest.raises(InputError, match="max_open"):
        next(stream(io.BytesIO(PCAP), max_open=0))


@pytest.mark.parametrize("data", [PCAP, PCAPNG])
def test_cut_short(data):
    whole = read(data)
    assert whole.cut_short == 0
    for size in range(300, len(data) - 1, 53):
        counts = read(data[:size], window=100)
        assert 0 < counts.packets < whole.packets
        assert counts.cut_short in (0, 1)  # 0 where the cut falls between two records
    assert read(data[:-1]).cut_short == 1
    assert read(data[:-1]).packets == whole.packets - 1


def test_gzip_cut_short_gives_what_is_there():
    ports = [k * k * 7919 % 65_521 for k in range(20_000)]
    noisy = pcap([(START + p, ethernet(ip(A, B, udp(p, 53)))) for p in ports])
    packed = gzip.compress(noisy)
    counts = read(packed[: len(packed) // 2], window=10_000)
    assert counts.cut_short == 1
    assert 5_000 < counts.metered < 15_000
    middle = len(packed) // 2
    broken = (
        packed[:middle]
        + bytes(x ^ 255 for x in packed[middle : middle + 50])
        + packed[middle + 50 :]
    )
    counts = read(broken, window=10_000)
    assert counts.cut_short == 1
    assert counts.packets > 1_000
    two = read(gzip.compress(PCAP[:500]) + bytes(9) + gzip.compress(PCAP[500:]), window=100)
    assert (two.packets, two.cut_short) == (20, 0)


def test_a_record_of_impossible_length_ends_the_reading():
    data = bytearray(PCAP)
    first = 24 + 16 + len(FRAMES[0])
    data[first + 8 : first + 12] = b"\xff\xff\xff\x7f"
    counts = read(bytes(data))
    assert (counts.packets, counts.cut_short) == (1, 1)


def test_empty_capture_has_no_flows(tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    found = meter(path)
    assert found.frame.shape == (0, 84)
    assert found.counts.packets == found.counts.cut_short == 0
    path.write_bytes(PCAP)
    assert meter(path).frame.schema == found.frame.schema


@given(st.binary(max_size=400), st.sampled_from((b"", PCAP[:24], PCAPNG[:48], PCAP, PCAPNG)))
@settings(max_examples=40)
def test_garbage_never_crashes(junk, head):
    try:
        read(head + junk)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017


@given(st.data())
@settings(max_examples=40)
def test_damage_never_crashes(data):
    capture = bytearray(data.draw(st.sampled_from((PCAP, PCAPNG))))
    for _ in range(data.draw(st.integers(1, 12))):
        capture[data.draw(st.integers(0, len(capture) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    size = data.draw(st.integers(0, len(capture)))
    mode = data.draw(st.sampled_from(("std", "lycos")))
    try:
        read(bytes(capture[:size]) if data.draw(st.booleans()) else bytes(capture), mode)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017


@given(st.binary(max_size=120), st.integers(0, 70_000), st.sampled_from((0, 1, 101, 113, 276)))
@settings(max_examples=40)
def test_any_frame_is_metered_or_counted(frame, wire, link):
    read(pcap([(START, FRAMES[0]), (START, frame, wire), (START, FRAMES[1])], link=link))
    stacks = [
        ethernet((b"\x45" if kind == 0x0800 else b"\x60") + frame[1:], kind=kind)
        for kind in (0x0800, 0x86DD, 0x8100)
    ]
    read(pcap([(START, stack, wire) for stack in stacks]))
