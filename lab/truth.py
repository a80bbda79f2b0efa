"""The truth of a day as a table: what the generators wrote down."""

import polars as pl

from lab.plan import Plan

SCHEMA = {
    "start": pl.Float64,
    "end": pl.Float64,
    "src_addr": pl.String,
    "src_port": pl.Int64,
    "dst_addr": pl.String,
    "dst_port": pl.Int64,
    "ip_prot": pl.Int64,
    "label": pl.String,
    "service": pl.String,
    "detail": pl.String,
}


def table(plan: Plan, record: list[dict]) -> pl.DataFrame:
    """All rows of truth of a day, in order of time: `record` of dayN.json, times as UTC."""
    milliseconds = ((pl.col("start", "end") + plan.clock_ahead) * 1e3).round().cast(pl.Int64)
    return (
        pl.DataFrame(record, schema=SCHEMA)
        .with_columns(pl.from_epoch(milliseconds, "ms").dt.replace_time_zone("UTC"))
        .sort("start", "src_addr", "src_port")
    )
