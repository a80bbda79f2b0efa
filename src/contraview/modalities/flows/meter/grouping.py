"""Which packets belong to the same conversation, and in which direction each goes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

_ODD: Final = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64
)


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of every packet, and what else tells conversations apart."""

    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    src_port: NDArray[np.uint64]
    dst_port: NDArray[np.uint64]
    service: NDArray[np.uint64]
    """IP version and protocol (``lycos``: nothing)."""


@dataclass(frozen=True, slots=True)
class Conversations:
    """Packets ordered by conversation, in each by their own order."""

    order: Int64[np.ndarray, " n"]
    begins: Bool[np.ndarray, " n"]
    """Of the ordered packets: the first of its conversation."""
    against: Bool[np.ndarray, " n"]
    """Of the ordered packets: sent by the receiver of the conversation's first packet."""


def group(ends: Ends) -> Conversations:
    """Bring packets of the same two ends (either way) and service together."""
    n = ends.service.size
    bits = np.uint64(max(n - 1, 1).bit_length())
    mask = (np.uint64(1) << bits) - np.uint64(1)
    # One sort of plain numbers: the hash above, the packet's own number below.
    ranked = np.sort((conversation_hash(ends) & ~mask) | np.arange(n, dtype=np.uint64))
    order = (ranked & mask).astype(np.int64)
    begins = np.ones(n, bool)
    np.not_equal(ranked[1:] >> bits, ranked[:-1] >> bits, out=begins[1:])
    against = _against(ends, order, begins)
    if against is None:  # two conversations share a hash
        order, begins = _group_exactly(ends)
        against = _against(ends, order, begins)
        assert against is not None
    return Conversations(order, begins, against)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x ^ (x >> np.uint64(32))
    x *= _ODD[0]
    x ^= x >> np.uint64(29)
    return x


def conversation_hash(ends: Ends) -> NDArray[np.uint64]:
    """A number a packet, the same for both directions; others may share it."""

    def end(hi: NDArray[np.uint64], lo: NDArray[np.uint64], port: NDArray[np.uint64]) -> NDArray:
        x = lo * _ODD[1] + port * _ODD[2]
        return _mix(x ^ _mix(hi * _ODD[3]) if hi.any() else x)

    # A sum does not know which end comes first.
    both = end(ends.src_hi, ends.src_lo, ends.src_port) + end(
        ends.dst_hi, ends.dst_lo, ends.dst_port
    )
    return _mix(both + ends.service * _ODD[3]) * _ODD[1]


def _against(
    ends: Ends, order: NDArray[np.int64], begins: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Compare every packet with the first of its block; None where one has other ends."""
    first = order[begins]
    sizes = np.diff(np.flatnonzero(begins), append=order.size)
    same = np.ones(order.size, bool)
    swapped = np.ones(order.size, bool)
    pairs = (
        (ends.src_lo, ends.dst_lo),
        (ends.src_port, ends.dst_port),
        (ends.src_hi, ends.dst_hi),
    )
    for src, dst in pairs:
        if src is ends.src_hi and not (src.any() or dst.any()):
            continue  # IPv4 alone
        src_here, dst_here = src[order], dst[order]
        src_first, dst_first = np.repeat(src[first], sizes), np.repeat(dst[first], sizes)
        same &= (src_here == src_first) & (dst_here == dst_first)
        swapped &= (src_here == dst_first) & (dst_here == src_first)
    kin = np.array_equal(ends.service[order], np.repeat(ends.service[first], sizes))
    return ~same if kin and (same | swapped).all() else None


def _group_exactly(ends: Ends) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sort by the ends themselves: slower, never wrong."""
    src = (ends.src_hi, ends.src_lo, ends.src_port)
    dst = (ends.dst_hi, ends.dst_lo, ends.dst_port)
    swap = np.zeros(ends.service.size, bool)
    for a, b in zip(reversed(src), reversed(dst), strict=True):
        swap = np.where(a == b, swap, a > b)
    low = [np.where(swap, b, a) for a, b in zip(src, dst, strict=True)]
    high = [np.where(swap, a, b) for a, b in zip(src, dst, strict=True)]
    columns = [ends.service, *low, *high]
    order = np.lexsort(columns)
    begins = np.ones(order.size, bool)
    begins[1:] = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    return order, begins
