"""Header layouts, and how to read one header at many places of a buffer at once."""

from typing import Any, Final

import numpy as np
from jaxtyping import Int64, UInt8

PADDING: Final = 64
"""Zero bytes after a buffer's end, so that a header cut by it can be read before it is judged."""

ETHERTYPE: Final = np.dtype([("type", ">u2")])
IPV4: Final = np.dtype(
    [
        ("version_ihl", "u1"),
        ("tos", "u1"),
        ("total", ">u2"),
        ("id", ">u2"),
        ("fragment", ">u2"),
        ("ttl", "u1"),
        ("protocol", "u1"),
        ("checksum", ">u2"),
        ("src", ">u4"),
        ("dst", ">u4"),
    ]
)
IPV6: Final = np.dtype(
    [
        ("version", "u1"),
        ("class_label", "V3"),
        ("payload", ">u2"),
        ("next", "u1"),
        ("hops", "u1"),
        ("src_hi", ">u8"),
        ("src_lo", ">u8"),
        ("dst_hi", ">u8"),
        ("dst_lo", ">u8"),
    ]
)
IPV6_EXTENSION: Final = np.dtype([("next", "u1"), ("length", "u1"), ("fragment", ">u2")])
GRE: Final = np.dtype([("flags", ">u2"), ("type", ">u2")])
TRANSPORT: Final = np.dtype(
    [
        ("src_port", ">u2"),
        ("dst_port", ">u2"),
        ("sequence", ">u4"),
        ("acknowledgement", ">u4"),
        ("offset", "u1"),
        ("flags", "u1"),
        ("window", ">u2"),
    ]
)
"""TCP up to its window; UDP and SCTP share the ports, ICMP has type and code in ``src_port``."""


def gather(
    buffer: UInt8[np.ndarray, " bytes"], at: Int64[np.ndarray, " n"], layout: np.dtype[Any]
) -> np.ndarray:
    """Read the header ``layout`` at every position of ``at`` (all within ``buffer``)."""
    # A view with a stride of one byte: a header begins at every byte. As raw bytes, since NumPy
    # copies structured items field by field, at several times the cost.
    count = max(buffer.size - layout.itemsize + 1, 0)
    raw = np.dtype(("V", layout.itemsize))
    return np.ndarray((count,), raw, buffer, strides=(1,))[at].view(layout)
