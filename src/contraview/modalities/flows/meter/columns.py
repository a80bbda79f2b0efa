"""Finished flows as a table: identity, times, the 75 statistics."""

import socket
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from contraview.modalities.flows.community_id import community_ids
from contraview.modalities.flows.meter.mode import SECOND, Mode
from contraview.modalities.flows.meter.packets import TCP
from contraview.modalities.flows.meter.state import extreme, mean, pooled, take_rows, variance
from contraview.modalities.flows.meter.statistics import close_runs
from contraview.modalities.flows.schema import IDENTITY, STATISTICS

PART: Final = 65_536
"""Flows written together: few enough that the columns in the making stay in the cache."""

_UTC = pl.Datetime("us", "UTC")


def table(flows: np.ndarray, mode: Mode) -> pl.DataFrame:
    """One row a flow (``state.FLOW``), by time of the first packet.

    Columns: IDENTITY, ``timestamp`` (UTC), STATISTICS, ``community_id``, ``last_seen`` (UTC).
    """
    order = np.argsort(flows["stamp"], kind="stable")
    begins = range(0, max(order.size, 1), PART)
    return pl.concat([_part(take_rows(flows, order[at : at + PART]), mode) for at in begins])


def _part(flows: np.ndarray, mode: Mode) -> pl.DataFrame:
    close_runs(flows, np.arange(flows.size), flows["run"])
    statistics = _statistics(flows, mode)
    frame = pl.DataFrame(
        {
            "src_addr": _addresses(flows, "src"),
            "src_port": flows["src_port"].astype(np.int64),
            "dst_addr": _addresses(flows, "dst"),
            "dst_port": flows["dst_port"].astype(np.int64),
            "ip_prot": flows["protocol"].astype(np.int64),
            "timestamp": pl.Series(flows["stamp"].copy()).cast(_UTC),
            **{name: statistics[name] for name in STATISTICS},
            "community_id": pl.Series(_community_ids(flows), dtype=pl.String),
            "last_seen": pl.Series(flows["stamp"] + flows["last"] - flows["first"]).cast(_UTC),
        }
    )
    ends = pl.concat_str(*IDENTITY[1:2], IDENTITY[3], IDENTITY[2], *IDENTITY[4:], separator="-")
    return frame.select(ends.alias("flow_id"), pl.all())


def _community_ids(flows: np.ndarray) -> list[str]:
    return community_ids(
        src_hi=flows["src_hi"],
        src_lo=flows["src_lo"],
        dst_hi=flows["dst_hi"],
        dst_lo=flows["dst_lo"],
        src_port=flows["src_port"].astype(np.int64),
        dst_port=flows["dst_port"].astype(np.int64),
        protocol=flows["protocol"].astype(np.int64),
        is_ipv6=flows["version"] == 6,
    )


def _addresses(flows: np.ndarray, end: str) -> pl.Series:
    """The addresses of one end as text."""
    low = flows[f"{end}_lo"]
    octets = [low >> np.uint64(shift) & np.uint64(255) for shift in (24, 16, 8, 0)]
    written = [pl.lit(_OCTETS).gather(pl.lit(pl.Series(octet))) for octet in octets]
    text = pl.select(pl.concat_str(written, separator=".")).to_series()
    six = np.flatnonzero(flows["version"] == 6)
    if six.size:
        packed = np.stack([flows[f"{end}_hi"][six], low[six]], axis=1).astype(">u8").tobytes()
        written = [
            socket.inet_ntop(socket.AF_INET6, packed[at : at + 16])
            for at in range(0, len(packed), 16)
        ]
        text = text.scatter(six, written)
    return text


_OCTETS: Final = pl.Series([str(octet) for octet in range(256)])


def _statistics(flows: np.ndarray, mode: Mode) -> dict[str, NDArray[np.float64]]:
    """The 75 statistics of finished flows, by name."""
    fwd, bwd = flows["fwd_len"], flows["bwd_len"]
    both = pooled(fwd, bwd)
    duration = flows["last"] - flows["first"]
    seconds = duration / SECOND

    def share(amount: NDArray[np.int64], whole: NDArray) -> NDArray[np.float64]:
        """The quotient, 0 where there is nothing to divide by."""
        return np.divide(amount, whole, out=np.zeros(amount.shape), where=whole > 0)

    out = {
        "flow_duration": duration,
        "down_up_ratio": share(bwd["n"], fwd["n"]),
        **_spread("pkt_len", both),
        "pkt_len_var": variance(both),
        "bytes_per_s": share(both["sum"], seconds),
        "pkt_per_s": share(both["n"], seconds),
        "fwd_pkt_per_s": share(fwd["n"], seconds),
        "bwd_pkt_per_s": share(bwd["n"], seconds),
        **_spread("iat", flows["iat"]),
        **_spread("active", flows["active"]),
        **_spread("idle", flows["idle"]),
        "flag_SYN": flows["syn"],
        **{f"flag_{name}": flows[name] for name in ("fin", "rst", "ack", "cwr", "ece")},
        "flag_psh": flows["fwd_psh"] + flows["bwd_psh"],
        "flag_urg": flows["fwd_urg"] + flows["bwd_urg"],
    }
    for way, lengths in (("fwd", fwd), ("bwd", bwd)):
        bulks = flows[f"{way}_bulks"]
        subflows = flows["pauses"] + 1
        out |= {
            f"{way}_pkt_cnt": lengths["n"],
            f"{way}_pkt_len_tot": lengths["sum"],
            **_spread(f"{way}_pkt_len", lengths),
            f"{way}_pkt_hdr_len_tot": flows[f"{way}_header"],
            f"{way}_pkt_hdr_len_min": np.where(lengths["n"] > 0, flows[f"{way}_least_header"], 0),
            f"{way}_non_empty_pkt_cnt": flows[f"{way}_data"],
            f"{way}_iat_tot": flows[f"{way}_iat"]["sum"],
            **_spread(f"{way}_iat", flows[f"{way}_iat"]),
            f"{way}_flag_psh": flows[f"{way}_psh"],
            f"{way}_flag_urg": flows[f"{way}_urg"],
            f"{way}_bulk_bytes_mean": share(bulks["bytes"], bulks["n"]),
            f"{way}_bulk_pkt_mean": share(bulks["packets"], bulks["n"]),
            f"{way}_bulk_rate_mean": share(bulks["bytes"], bulks["duration"] / SECOND),
            f"{way}_subflow_bytes_mean": lengths["sum"] / subflows,
            f"{way}_subflow_pkt_mean": lengths["n"] / subflows,
            f"{way}_tcp_init_win_bytes": flows[f"{way}_window"],
        }
    if mode.lycos:
        _copy_lycos_defects(out, flows)
    return {name: np.asarray(values, np.float64) for name, values in out.items()}


def _spread(prefix: str, moments: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"{prefix}_max": extreme(moments, "max"),
        f"{prefix}_min": extreme(moments, "min"),
        f"{prefix}_mean": mean(moments),
        f"{prefix}_std": np.sqrt(variance(moments)),
    }


def _copy_lycos_defects(out: dict[str, np.ndarray], flows: np.ndarray) -> None:
    """See Mode: a minimum that was never set, a window that is not -1."""
    backward = flows["starts_backward"]
    out["fwd_pkt_len_min"] = np.where(backward, 0, out["fwd_pkt_len_min"])
    out["bwd_pkt_len_min"] = np.where(backward, out["bwd_pkt_len_min"], 0)
    silent = (flows["protocol"] == TCP) & (flows["fwd_len"]["n"] == 0)
    out["fwd_tcp_init_win_bytes"] = np.where(silent, 0, out["fwd_tcp_init_win_bytes"])
