"""The name server's answers, read back by hand (RFC 1035)."""

import struct

import pytest

from lab import dns


def test_query():
    assert dns.query("a.lab", dns.A, 7) == (
        b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x03lab\x00\x00\x01\x00\x01"
    )


@pytest.mark.parametrize(
    ("name", "kind", "code", "records"),
    [("no-1.lab", dns.A, 3, 0), ("x.lab", dns.AAAA, 0, 0), ("x.lab", dns.TXT, 0, 1)],
)
def test_answers(name, kind, code, records):
    question = dns.query(name, kind, 99)
    answer = dns.answer(question)
    number, flags, asked, given, _, _ = struct.unpack(">6H", answer[:12])
    assert (number, flags & 0x800F, asked, given) == (99, 0x8000 | code, 1, records)
    assert answer[12 : len(question)] == question[12:]


def test_addresses_are_the_labs():
    answer = dns.answer(dns.query("web.lab", dns.A, 1))
    count = struct.unpack(">H", answer[6:8])[0]
    assert 1 <= count <= 5
    records = [answer[-16 * (i + 1) :][:16] for i in range(count)]
    assert all(r[12:14] == bytes([10, 77]) for r in records)


def test_tunnel_texts_are_long_and_depend_on_the_name():
    sizes = {len(dns.answer(dns.query(f"{i:x}.{dns.TUNNEL}", dns.TXT, 1))) for i in range(30)}
    assert len(sizes) > 10


@pytest.mark.parametrize("data", [b"", b"\0" * 11, b"\0" * 12 + b"\x3fabc"])
def test_a_scanners_probe_is_no_question(data):
    with pytest.raises((IndexError, ValueError)):
        dns.answer(data)
