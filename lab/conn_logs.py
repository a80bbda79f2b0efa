"""Zeek's conn.log, generated: as many connections as a test wants, here and there an odd one.

For what happens to a log (it grows, is rotated, breaks); no ground for claims of accuracy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from contraview.core.seeds import numpy_generator

FIELDS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service"),
    *("duration", "orig_bytes", "resp_bytes", "conn_state", "missed_bytes", "history"),
    *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
)
BEGIN = 1_700_000_000.0


def records(
    rows: int,
    seed: int = 0,
    *,
    begin: float = BEGIN,
    seconds: float = 3600.0,
    odd: float = 0.002,
    first: int = 0,
) -> pl.DataFrame:
    """Connections as text cells, in the order in which Zeek would write them."""
    g = numpy_generator(seed, "conn logs", first)
    end = np.sort(begin + g.random(rows) * seconds)
    tcp, strange = g.random(rows) < 0.7, g.random(rows) < odd
    duration = np.exp(g.normal(-2.0, 1.2, rows))
    asked = np.exp(g.normal(6.0, 0.7, rows)).round()
    answered = (asked * np.exp(g.normal(2.0, 0.5, rows))).round()
    asked = np.where(strange, asked * 4000, asked)
    duration = np.where(strange, duration * 300, duration)
    out, back = (asked / 700).round() + 4, (answered / 1200).round() + 3
    host = g.integers(2, 200, rows)
    cells = {
        "ts": end - duration,
        "uid": np.char.add("C", np.char.zfill(np.arange(first, first + rows).astype(str), 12)),
        "id.orig_h": np.char.add("10.1.0.", host.astype(str)),
        "id.orig_p": g.integers(32_768, 61_000, rows),
        "id.resp_h": np.char.add("10.2.0.", g.integers(2, 30, rows).astype(str)),
        "id.resp_p": np.where(tcp, 443, 53),
        "proto": np.where(tcp, "tcp", "udp"),
        "service": np.where(tcp, "ssl", "dns"),
        "duration": duration,
        "orig_bytes": asked.astype(np.int64),
        "resp_bytes": answered.astype(np.int64),
        "conn_state": np.where(strange, "S1", "SF"),
        "missed_bytes": np.zeros(rows, np.int64),
        "history": np.where(tcp, np.where(strange, "ShADad", "ShADadFf"), "Dd"),
        "orig_pkts": out.astype(np.int64),
        "orig_ip_bytes": (asked + out * 52).astype(np.int64),
        "resp_pkts": back.astype(np.int64),
        "resp_ip_bytes": (answered + back * 52).astype(np.int64),
    }
    rounded = [pl.col(name).round(6) for name in ("ts", "duration")]
    return pl.DataFrame({name: cells[name] for name in FIELDS}).with_columns(rounded)


def head(fields: Sequence[str] = FIELDS, opened: str = "2023-11-14-22-13-20") -> str:
    """What stands at the begin of a log."""
    lines = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-"]
    lines += ["#path\tconn", f"#open\t{opened}", "\t".join(("#fields", *fields))]
    return "".join(
        f"{line}\n" for line in [*lines, "#types\t" + "\t".join("string" for _ in fields)]
    )


def body(table: pl.DataFrame) -> str:
    """The lines of connections."""
    return table.write_csv(include_header=False, separator="\t", float_precision=6)


def log(rows: int, seed: int = 0, **knobs: Any) -> str:
    """A whole log; see `records`."""
    return head() + body(records(rows, seed, **knobs))
