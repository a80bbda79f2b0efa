"""Community ID v1: one name for a conversation, the same in every tool and either direction.

Specification: https://github.com/corelight/community-id-spec (seed 0 here, as by default there).
"""

import ipaddress
from hashlib import sha1
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

ICMP_ANSWERS: Final = {8: 0, 0: 8, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
"""ICMP message types that ask and answer: the pair stands in the place of ports."""
ICMPV6_ANSWERS: Final = {
    128: 129,
    129: 128,
    130: 131,
    131: 130,
    133: 134,
    134: 133,
    135: 136,
    136: 135,
    139: 140,
    140: 139,
    144: 145,
    145: 144,
}
_ICMP, _ICMPV6 = 1, 58
_LOWER: Final = (1 << 64) - 1
_WITH_PORTS: Final = np.isin(np.arange(256), (_ICMP, 6, 17, _ICMPV6, 132))


def community_id(src: str, dst: str, src_port: int, dst_port: int, protocol: int) -> str:
    """The Community ID of one conversation, its addresses as text.

    For ICMP the ports are the message's type and the type that answers it, or, where none does,
    its type and code.
    """
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    return community_ids(
        src_hi=np.array([int(source) >> 64], np.uint64),
        src_lo=np.array([int(source) & _LOWER], np.uint64),
        dst_hi=np.array([int(target) >> 64], np.uint64),
        dst_lo=np.array([int(target) & _LOWER], np.uint64),
        src_port=np.array([src_port]),
        dst_port=np.array([dst_port]),
        protocol=np.array([protocol]),
        is_ipv6=np.array([source.version == 6]),
    )[0]


def community_ids(
    src_hi: NDArray[np.uint64],
    src_lo: NDArray[np.uint64],
    dst_hi: NDArray[np.uint64],
    dst_lo: NDArray[np.uint64],
    src_port: Int64[np.ndarray, " n"],
    dst_port: Int64[np.ndarray, " n"],
    protocol: Int64[np.ndarray, " n"],
    is_ipv6: Bool[np.ndarray, " n"],
) -> list[str]:
    """The Community ID of each conversation, its addresses as upper and lower 64 bits."""
    swap = (src_hi > dst_hi) | (
        (src_hi == dst_hi) & ((src_lo > dst_lo) | ((src_lo == dst_lo) & (src_port > dst_port)))
    )
    swap &= ~_one_way(protocol, src_port)
    first_hi, second_hi = np.where(swap, dst_hi, src_hi), np.where(swap, src_hi, dst_hi)
    first_lo, second_lo = np.where(swap, dst_lo, src_lo), np.where(swap, src_lo, dst_lo)
    first_port, second_port = np.where(swap, dst_port, src_port), np.where(swap, src_port, dst_port)
    ids = np.empty(protocol.size, object)
    for layout, rows in ((_IPV4, np.flatnonzero(~is_ipv6)), (_IPV6, np.flatnonzero(is_ipv6))):
        hashed = np.zeros(rows.size, layout)
        if layout is _IPV6:
            hashed["first_hi"], hashed["second_hi"] = first_hi[rows], second_hi[rows]
        hashed["first_lo"], hashed["second_lo"] = first_lo[rows], second_lo[rows]
        hashed["protocol"] = protocol[rows]
        hashed["first_port"], hashed["second_port"] = first_port[rows], second_port[rows]
        # Where there are no ports, the specification hashes no ports.
        size = layout.itemsize - 4 * ~_WITH_PORTS[protocol[rows]]
        ids[rows] = _names(hashed, size)
    return ids.tolist()


_IPV4: Final = np.dtype(
    [
        ("seed", ">u2"),
        ("first_lo", ">u4"),
        ("second_lo", ">u4"),
        ("protocol", "u1"),
        ("zero", "u1"),
        ("first_port", ">u2"),
        ("second_port", ">u2"),
    ]
)
_IPV6: Final = np.dtype(
    [
        ("seed", ">u2"),
        ("first_hi", ">u8"),
        ("first_lo", ">u8"),
        ("second_hi", ">u8"),
        ("second_lo", ">u8"),
        ("protocol", "u1"),
        ("zero", "u1"),
        ("first_port", ">u2"),
        ("second_port", ">u2"),
    ]
)


def _names(hashed: np.ndarray, sizes: NDArray[np.int64]) -> list[str]:
    """The name of each row: version, SHA-1 in base 64, written for all rows at once."""
    packed, width = hashed.tobytes(), hashed.dtype.itemsize
    begins = range(0, len(packed), width)
    digests = b"".join(
        [sha1(packed[at : at + n]).digest() for at, n in zip(begins, sizes.tolist(), strict=True)]  # noqa: S324
    )
    triples = np.zeros((hashed.size, 21), np.uint8)  # 20 bytes, filled up to whole triples
    triples[:, :20] = np.frombuffer(digests, np.uint8).reshape(-1, 20)
    bits = triples.reshape(-1, 7, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    names = np.empty((hashed.size, 30), np.uint8)
    names[:, :2] = _VERSION
    for place, shift in enumerate((18, 12, 6, 0)):
        names[:, 2 + place :: 4] = _BASE64[bits >> shift & 63]
    names[:, -1] = ord("=")
    text = names.tobytes().decode("ascii")
    return [text[at : at + 30] for at in range(0, len(text), 30)]


_VERSION: Final = np.frombuffer(b"1:", np.uint8)
_BASE64: Final = np.frombuffer(
    (ascii_uppercase + ascii_lowercase + digits + "+/").encode(), np.uint8
)


def _one_way(protocol: NDArray[np.int64], kind: NDArray[np.int64]) -> NDArray[np.bool_]:
    """ICMP messages that nothing answers keep their direction."""
    return ((protocol == _ICMP) & ~np.isin(kind, list(ICMP_ANSWERS))) | (
        (protocol == _ICMPV6) & ~np.isin(kind, list(ICMPV6_ANSWERS))
    )
