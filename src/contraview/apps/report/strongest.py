"""The strongest alerts, one of each group: a scan of a thousand flows takes one place, not ten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase
from typing import Any, Final

import polars as pl

from contraview.apps.detection.reasons import Reason, aspect
from contraview.apps.report.contents import Detected

MOST: Final = 10


@dataclass(frozen=True)
class Group:
    """Alerts of one source that stand out for one reason.

    Attributes:
        row: the strongest of them, all its columns.
        reasons: why it stands out.
        source: a letter for its source, the same throughout the report; None where unknown.
        flows: how many alerts are like it.
        labels: the kinds of traffic among them and how many of each; empty where unknown.
        first: the time of the first of them, and ``last`` of the last; None where unknown.
    """

    row: Mapping[str, Any]
    reasons: Sequence[Reason]
    source: str | None
    flows: int
    labels: Mapping[str, int]
    first: datetime | None
    last: datetime | None


def strongest(detected: Detected, most: int = MOST) -> list[Group]:
    """The strongest alert of each group, strongest first, at most ``most`` of them.

    Alerts are of one group where their source, their protocol, and what the statistic with the
    largest effect is about (`aspect`) are the same.
    """
    alerts = detected.alerts
    there = {"src_addr", "ip_prot", "timestamp", "label"} & set(alerts.columns)
    first_reason = [aspect(why[0].column) if why else None for why in detected.reasons]
    about = pl.Series("about", first_reason, dtype=pl.String)
    keys = [about.name, *(there & {"src_addr", "ip_prot"})]
    facts = [pl.col("place").first(), pl.len().alias("flows")]
    if "timestamp" in there:
        facts += [pl.min("timestamp").alias("first"), pl.max("timestamp").alias("last")]
    if "label" in there:
        facts.append(pl.col("label").drop_nulls().value_counts(sort=True).alias("labels"))
    groups = (
        alerts.select(pl.int_range(pl.len()).alias("place"), "score", *there)
        .with_columns(about)
        .sort("score", descending=True, maintain_order=True)
        .group_by(keys, maintain_order=True)
        .agg(facts)
        .head(most)
    )
    sources = groups["src_addr"].drop_nulls() if "src_addr" in there else pl.Series()
    letters = dict(zip(sources.unique(maintain_order=True), ascii_uppercase, strict=False))
    return [
        Group(
            alerts.row(group["place"], named=True),
            detected.reasons[group["place"]],
            letters.get(group.get("src_addr")),
            group["flows"],
            {entry["label"]: entry["count"] for entry in group.get("labels", ())},
            group.get("first"),
            group.get("last"),
        )
        for group in groups.to_dicts()
    ]
