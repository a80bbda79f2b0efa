"""Joins flows with the truth: by 5-tuple where a generator knew its socket, else by who and when.

Truth is a table in which a null is a wildcard: `start` and `end` (UTC); `src_addr`, `src_port`,
`dst_addr`, `dst_port`, `ip_prot` as the connection was opened; `label` ("benign" or the kind of
attack), `service` (used or attacked) and `detail` (tool or manner).
"""

from datetime import timedelta

import polars as pl

KEY = ("src_addr", "src_port", "dst_addr", "dst_port", "ip_prot")
_REVERSED = ("dst_addr", "dst_port", "src_addr", "src_port", "ip_prot")
_BEFORE, _AFTER = timedelta(seconds=0.5), timedelta(seconds=2)  # packets still on their way

UNMATCHED = "unmatched"


def label(flows: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Adds `label` and `service` to `flows`, whose rows keep their order.

    A flow fits a row of truth if they agree on all that the row names, in either direction, and
    the flow begins within the row's window. Of several, one that names the source port wins, then
    the one that names most, then the shortest window. A flow that fits none is "unmatched".

    Args:
        flows: has KEY and `timestamp` (UTC).
        truth: see above; each row names at least one column of KEY.
    """
    places = flows.select(*KEY, "timestamp").with_row_index()
    named = [pl.col(column).is_not_null() for column in KEY]
    fits = []
    for given in truth.select(named).unique().rows():
        columns = [column for column, is_given in zip(KEY, given, strict=True) if is_given]
        rules = truth.filter(*(n == g for n, g in zip(named, given, strict=True))).select(
            *columns, "start", "end", "label", "service"
        )
        inside = pl.col("timestamp").is_between(pl.col("start") - _BEFORE, pl.col("end") + _AFTER)
        for seen in (KEY, _REVERSED):
            turned = places.rename(dict(zip(seen, KEY, strict=True)))
            found = turned.join(rules, on=columns).filter(inside)
            fits.append(
                found.select(
                    "index",
                    "label",
                    "service",
                    socket=pl.lit("src_port" in columns),
                    names=pl.lit(len(columns)),
                    window=pl.col("end") - pl.col("start"),
                )
            )
    best = (
        pl.concat(fits)
        .sort("socket", "names", "window", descending=[True, True, False])
        .unique("index", keep="first", maintain_order=True)
        .select("index", "label", "service")
    )
    joined = places.select("index").join(best, on="index", how="left", maintain_order="left")
    return flows.with_columns(
        joined["label"].fill_null(UNMATCHED), joined["service"].fill_null(UNMATCHED)
    )
