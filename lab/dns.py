"""As much of DNS (RFC 1035) as the lab's name server and its clients need."""

import struct
import zlib

A, TXT, AAAA = 1, 16, 28
TUNNEL = "t.sync.lab"
"""Names below this one are answered with a long text: the far end of the tunnel."""


def query(name: str, kind: int, number: int) -> bytes:
    """A recursive query; `number` is its id."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">xHH", kind, 1)


def answer(question: bytes) -> bytes:
    """The name server's reply: how many records, and how long, follows from the name alone."""
    number = question[:2]
    end, labels = 12, []
    while size := question[end]:
        labels.append(question[end + 1 : end + 1 + size].decode())
        end += size + 1
    kind = int.from_bytes(question[end + 1 : end + 3])
    name = ".".join(labels)
    draw = zlib.crc32(name.encode())
    if name.startswith("no-"):
        code, records = 3, []
    elif name.endswith(TUNNEL):
        code, records = 0, [bytes([draw % 150 + 40]) + bytes(draw % 150 + 40)]
    elif kind == A:
        code, records = (
            0,
            [struct.pack(">I", 0x0A4D0000 | (draw + i) % 256) for i in range(draw % 5 + 1)],
        )
    elif kind == TXT:
        code, records = 0, [bytes([draw % 90 + 20]) + bytes(draw % 90 + 20)]
    else:
        code, records = 0, []
    header = number + struct.pack(">5H", 0x8180 | code, 1, len(records), 0, 0)
    body = b"".join(
        struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(data)) + data for data in records
    )
    return header + question[12 : end + 5] + body
