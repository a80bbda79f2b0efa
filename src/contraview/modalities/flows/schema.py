"""The columns of a metered flow: names, order, and what each group means.

The 75 statistics carry the names of LycoSTand, the tool behind Lycos2017 (Rosay et al. 2021,
doi:10.1145/3486622.3493973), so that a model can move between its CSV files, a capture and a
live interface. Times are microseconds, lengths are bytes of layer-4 payload, rates are per second.
"""

from typing import Final

IDENTITY: Final = ("flow_id", "src_addr", "src_port", "dst_addr", "dst_port", "ip_prot")
"""Who talked to whom. Never an input of a model."""

TIME: Final = ("timestamp",)


def _each(prefix: str, *suffixes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{suffix}" for suffix in suffixes)


_DIRECTION = (
    "pkt_cnt",
    *_each("pkt_len", "tot", "max", "min", "mean", "std"),
    *_each("pkt_hdr_len", "tot", "min"),
    "non_empty_pkt_cnt",
)

STATISTICS: Final[tuple[str, ...]] = (
    "flow_duration",
    "down_up_ratio",
    *_each("pkt_len", "max", "min", "mean", "var", "std"),
    "bytes_per_s",
    "pkt_per_s",
    "fwd_pkt_per_s",
    "bwd_pkt_per_s",
    *_each("fwd", *_DIRECTION),
    *_each("bwd", *_DIRECTION),
    *_each("iat", "max", "min", "mean", "std"),
    *_each("fwd_iat", "tot", "max", "min", "mean", "std"),
    *_each("bwd_iat", "tot", "max", "min", "mean", "std"),
    *_each("active", "max", "min", "mean", "std"),
    *_each("idle", "max", "min", "mean", "std"),
    *_each("flag", "SYN", "fin", "rst", "ack", "psh"),
    "fwd_flag_psh",
    "bwd_flag_psh",
    "flag_urg",
    "fwd_flag_urg",
    "bwd_flag_urg",
    *_each("flag", "cwr", "ece"),
    *_each("fwd_bulk", "bytes_mean", "pkt_mean", "rate_mean"),
    *_each("bwd_bulk", "bytes_mean", "pkt_mean", "rate_mean"),
    *_each("fwd_subflow", "bytes_mean", "pkt_mean"),
    *_each("bwd_subflow", "bytes_mean", "pkt_mean"),
    "fwd_tcp_init_win_bytes",
    "bwd_tcp_init_win_bytes",
)
"""The 75 statistics of a flow, in the order of LycoSTand's own files."""
