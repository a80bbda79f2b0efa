"""What stays of a frame, and what the capture file holds."""

import gzip
import struct

import pytest
from lab.capture import Capture, scrub

MACS = b"\x02" * 6 + b"\x03" * 6
TIMESTAMPS = b"\x01\x01\x08\x0a" + b"\xaa" * 8


def ipv4(protocol, body, options=b""):
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 0x1234,
        0x4000, 64, protocol, 0xBEEF, bytes([10, 77, 1, 2]), bytes([10, 77, 1, 3]),
    )  # fmt: skip
    return MACS + b"\x08\x00" + header + options + body


def tcp(payload, options=TIMESTAMPS):
    head = struct.pack(
        ">HHIIBBHHH", 80, 4000, 111, 222, (20 + len(options)) // 4 << 4, 0x18, 512, 0xABCD, 0
    )
    return head + options + payload


def test_tcp_keeps_header_and_loses_payload_checksum_and_clock():
    frame = ipv4(6, tcp(b"secret" * 50))
    kept = scrub(frame)
    assert len(kept) == 96
    assert kept[66:] == bytes(30)
    assert kept[:18] == frame[:18]
    assert kept[18:20] == kept[24:26] == kept[50:52] == b"\0\0"
    assert kept[26:50] == frame[26:50]
    assert kept[54:58] == frame[54:58]
    assert kept[58:66] == bytes(8)


def test_udp_and_icmp_lose_what_follows_eight_bytes():
    for protocol, checksum in ((17, 6), (1, 2)):
        body = bytes(range(1, 9)) + b"secret"
        kept = scrub(ipv4(protocol, body))
        wanted = bytearray(body[:8])
        wanted[checksum : checksum + 2] = b"\0\0"
        assert kept[34:] == bytes(wanted) + bytes(6)


def test_header_options_move_the_payload():
    kept = scrub(ipv4(17, bytes(range(1, 9)) + b"secret", options=b"\x01" * 4))
    assert kept[34:38] == b"\x01" * 4
    assert kept[46:] == bytes(6)


def test_arp_stays_as_it_is():
    frame = MACS + b"\x08\x06" + bytes(range(28))
    assert scrub(frame) == frame


def test_the_file_has_times_lengths_and_the_day(tmp_path):
    path = tmp_path / "day.pcap.gz"
    frame = ipv4(6, tcp(b"x" * 500))
    with Capture(path, clock_ahead=86_400) as capture:
        capture.write(1000.25, frame)
        assert not path.exists()
    content = gzip.decompress(path.read_bytes())
    assert content[:4] == b"\xd4\xc3\xb2\xa1"
    assert struct.unpack_from("<IIII", content, 24) == (87_400, 250_000, 96, len(frame))
    assert capture.packets == 1


def test_a_failure_leaves_nothing(tmp_path):
    def fail():
        with Capture(tmp_path / "day.pcap.gz") as capture:
            capture.write(1.0, ipv4(6, tcp(b"")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
