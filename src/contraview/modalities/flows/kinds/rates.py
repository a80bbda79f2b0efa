"""Inputs that every log of flows can give: lengths, counts, rates, and letters as counts."""

from collections.abc import Mapping

import polars as pl

from contraview.modalities.flows.cells import number, text


def amount(column: str) -> pl.Expr:
    """A count or time of a log as a number; nothing written there means nothing was seen: 0."""
    return number(column).fill_null(0.0)


def per(quantity: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """The quotient; 0 where there is nothing to divide by."""
    return pl.when(unit > 0).then(quantity / unit).otherwise(0.0)


def two_way(
    *,
    seconds: pl.Expr,
    fwd_bytes: pl.Expr,
    bwd_bytes: pl.Expr,
    fwd_packets: pl.Expr,
    bwd_packets: pl.Expr,
) -> dict[str, pl.Expr]:
    """Lengths, counts and rates of a record that counts both directions."""
    return {
        "seconds": seconds,
        "fwd_bytes": fwd_bytes,
        "bwd_bytes": bwd_bytes,
        "fwd_packets": fwd_packets,
        "bwd_packets": bwd_packets,
        "bytes_per_s": per(fwd_bytes + bwd_bytes, seconds),
        "packets_per_s": per(fwd_packets + bwd_packets, seconds),
        "fwd_bytes_per_packet": per(fwd_bytes, fwd_packets),
        "bwd_bytes_per_packet": per(bwd_bytes, bwd_packets),
        "bwd_byte_share": per(bwd_bytes, fwd_bytes + bwd_bytes),
    }


def letters(column: str, names: Mapping[str, str]) -> dict[str, pl.Expr]:
    """How often each letter stands in a column of text, under the name given for it."""
    cells = text(column).fill_null("")
    return {
        name: cells.str.count_matches(letter, literal=True).cast(pl.Float64)
        for letter, name in names.items()
    }
