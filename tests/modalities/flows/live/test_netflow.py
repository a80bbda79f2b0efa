"""NetFlow v5, v9 and IPFIX over loopback."""

import socket
import struct

import pytest

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.nfdump import NFDUMP
from contraview.modalities.flows.live.netflow import NetflowSource

pytest.importorskip("netflume", reason="needs the extra 'netflow'")

# What a template says: (element, bytes), and the record of one flow in that order.
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 4), (22, 4), (21, 4))
SECONDS, UPTIME = 1_700_000_000, 100_000


def record(packets=10, octets=4000, flags=0x1B):
    ends = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    return ends + struct.pack(
        ">HHBBIIII", 40_000, 443, 6, flags, packets, octets, UPTIME - 5_000, UPTIME - 2_500
    )


def sets(template_set, template=True, records=1):
    layout = b"".join(struct.pack(">HH", *field) for field in FIELDS)
    body = struct.pack(">HH", 300, len(FIELDS)) + layout
    told = struct.pack(">HH", template_set, 4 + len(body)) + body if template else b""
    data = record() * records
    data += b"\0" * (-len(data) % 4)
    return told + struct.pack(">HH", 300, 4 + len(data)) + data


def version_9(sequence=1, template=True):
    body = sets(0, template)
    return struct.pack(">HHIIII", 9, 1 + template, UPTIME, SECONDS, sequence, 7) + body


def ipfix(sequence=0, template=True):
    fields = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 4), (152, 8), (153, 8))
    layout = b"".join(struct.pack(">HH", *field) for field in fields)
    body = struct.pack(">HH", 300, len(fields)) + layout
    told = struct.pack(">HH", 2, 4 + len(body)) + body if template else b""
    data = record()[:-8] + struct.pack(">QQ", SECONDS * 1000, SECONDS * 1000 + 2_500)
    body = told + struct.pack(">HH", 300, 4 + len(data)) + data
    return struct.pack(">HHIII", 10, 16 + len(body), SECONDS, sequence, 7) + body


def version_5(sequence=0):
    head = struct.pack(">HHIIIIBBH", 5, 1, UPTIME, SECONDS, 0, sequence, 0, 0, 0)
    ends = b"".join(socket.inet_aton(a) for a in ("10.0.0.1", "10.0.0.2", "0.0.0.0"))
    body = struct.pack(">HHIIIIHH", 0, 0, 10, 4000, UPTIME - 5_000, UPTIME - 2_500, 40_000, 443)
    return head + ends + body + struct.pack(">BBBBHHBBH", 0, 0x1B, 6, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def source():
    opened = NetflowSource("127.0.0.1", 0, (), NFDUMP.categorical)
    yield opened
    opened.close()


def send(source, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in datagrams:
            sender.sendto(data, ("127.0.0.1", source.port))


@pytest.mark.parametrize("datagram", [version_5(), version_9(), ipfix()], ids=["v5", "v9", "ipfix"])
def test_each_version_gives_the_columns_of_nfdump(source, datagram):
    send(source, datagram)
    batch = source.read(1.0)
    assert batch.received == 1
    (row,) = batch.rows.to_dicts()
    assert (row["sa"], row["da"], row["sp"], row["dp"]) == ("10.0.0.1", "10.0.0.2", "40000", "443")
    assert (row["pr"], row["flg"]) == ("TCP", "...AP.SF")
    assert (row["fwd_packets"], row["fwd_bytes"], row["bwd_packets"]) == (10.0, 4000.0, 0.0)
    assert row["seconds"] == pytest.approx(2.5)
    assert row["bytes_per_s"] == pytest.approx(1600.0)
    assert (row["ack"], row["urg"]) == (1.0, 0.0)
    assert row["ts"].year == 2023


def test_what_cannot_be_read_is_counted_and_the_rest_read_on(source):
    send(source, b"x", struct.pack(">HH", 77, 1), version_5()[:30], version_9())
    batch = source.read(1.0)
    assert batch.rows.height == 1
    assert batch.malformed == 3
    assert batch.received == 4


def test_exports_that_never_came_and_records_without_a_template_count_as_lost(source):
    send(source, version_9(1, template=False))
    first = source.read(1.0)
    assert first.rows is None
    assert first.dropped == 1
    send(source, *(version_9(k) for k in (2, 3, 4, 9)))
    assert source.read(1.0).dropped >= 4


def test_silence_is_an_empty_batch(source):
    batch = source.read(0.01)
    assert (batch.rows, batch.received, batch.queued) == (None, 0, 0)


def test_a_port_in_use_is_one_line(source):
    with pytest.raises(InputError, match=r"udp://127\.0\.0\.1:\d+: cannot be listened on"):
        NetflowSource("127.0.0.1", source.port, (), NFDUMP.categorical)
