"""What is remembered of a flow: enough to go on with it in the next window, and to finish it.

A flow is one row of a structured array, so that the table of open flows is sliced, concatenated
and replaced by whole rows. Sums are integers (exact in any order); second moments are merged by
the formula of Chan, Golub and LeVeque (1983).
"""

from typing import Final

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray

MOMENTS: Final = np.dtype([("n", "i8"), ("sum", "i8"), ("m2", "f8"), ("min", "i8"), ("max", "i8")])
"""Count, sum, sum of squared distances from the mean, least and greatest of some values."""

BULKS: Final = np.dtype([("n", "i8"), ("packets", "i8"), ("bytes", "i8"), ("duration", "i8")])
"""The finished bulks of one direction."""

RUN: Final = np.dtype(
    [("backward", "?"), ("n", "i8"), ("bytes", "i8"), ("first", "i8"), ("last", "i8")]
)
"""A run of non-empty packets of one direction that may yet become a bulk, or grow."""

OPEN, EXPIRED, VOID = range(3)
"""Phases of a row. Only ``lycos`` keeps the latter two: a flow that was written, for which end is
its source, and a conversation whose packets are discarded."""

KEY: Final = (
    "src_hi",
    "src_lo",
    "dst_hi",
    "dst_lo",
    "src_port",
    "dst_port",
    "protocol",
    "version",
)

WAYS: Final = ("fwd", "bwd")

FLAGS: Final = ("syn", "fin", "rst", "ack", "cwr", "ece")

FLOW: Final = np.dtype(
    [
        *((name, "u8") for name in KEY[:4]),
        *((name, "u2") for name in KEY[4:6]),
        *((name, "u1") for name in KEY[6:]),
        ("phase", "u1"),
        ("closed", "?"),
        ("starts_backward", "?"),
        ("stamp", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        ("fwd_last", "i8"),
        ("bwd_last", "i8"),
        ("active_since", "i8"),
        ("fwd_len", MOMENTS),
        ("bwd_len", MOMENTS),
        ("iat", MOMENTS),
        ("fwd_iat", MOMENTS),
        ("bwd_iat", MOMENTS),
        ("active", MOMENTS),
        ("idle", MOMENTS),
        *((name, "i8") for name in FLAGS),
        *((f"{way}_{name}", "i8") for way in WAYS for name in ("psh", "urg", "data", "header")),
        *((f"{way}_least_header", "i8") for way in WAYS),
        ("pauses", "i8"),
        ("fwd_bulks", BULKS),
        ("bwd_bulks", BULKS),
        ("run", RUN),
        ("fwd_window", "i4"),
        ("bwd_window", "i4"),
    ]
)

_NOTHING: Final = np.iinfo(np.int64)


def take_rows(items: np.ndarray, rows: NDArray[np.int64]) -> np.ndarray:
    """``items[rows]`` of a structured array, whole items at a time (NumPy goes field by field)."""
    return items.view(_raw(items))[rows].view(items.dtype)


def put_rows(items: np.ndarray, rows: NDArray[np.int64], values: np.ndarray) -> None:
    """``items[rows] = values`` of structured arrays, whole items at a time."""
    items.view(_raw(items))[rows] = values.view(_raw(values))


def join_rows(*parts: np.ndarray) -> np.ndarray:
    """Structured arrays one after the other, whole items at a time."""
    return np.concatenate([part.view(_raw(part)) for part in parts]).view(parts[0].dtype)


def _raw(items: np.ndarray) -> np.dtype:
    return np.dtype(("V", items.dtype.itemsize))


def blank(n: int) -> np.ndarray:
    """``n`` flows without a packet."""
    flows = np.zeros(n, FLOW)
    for name, (kind, *_) in (FLOW.fields or {}).items():
        if kind == MOMENTS:
            flows[name]["min"] = _NOTHING.max
            flows[name]["max"] = _NOTHING.min
    flows["fwd_least_header"] = flows["bwd_least_header"] = _NOTHING.max
    flows["fwd_window"] = flows["bwd_window"] = -1
    return flows


def pooled(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The moments of two sets of values together."""
    n = a["n"] + b["n"]
    both = (a["n"] > 0) & (b["n"] > 0)
    shift = np.where(both, mean(b) - mean(a), 0.0)
    together = np.empty(n.shape, MOMENTS)
    together["n"] = n
    together["sum"] = a["sum"] + b["sum"]
    together["m2"] = a["m2"] + b["m2"] + shift**2 * a["n"] * b["n"] / np.maximum(n, 1)
    together["min"] = np.minimum(a["min"], b["min"])
    together["max"] = np.maximum(a["max"], b["max"])
    return together


def mean(moments: np.ndarray) -> Float[np.ndarray, " n"]:
    """The mean; 0 of nothing."""
    return moments["sum"] / np.maximum(moments["n"], 1)


def variance(moments: np.ndarray) -> Float[np.ndarray, " n"]:
    """The sample variance (n - 1); 0 of fewer than two values."""
    return moments["m2"] / np.maximum(moments["n"] - 1, 1)


def extreme(moments: np.ndarray, which: str) -> Int64[np.ndarray, " n"]:
    """``min`` or ``max``; 0 of nothing."""
    return np.where(moments["n"] > 0, moments[which], 0)
