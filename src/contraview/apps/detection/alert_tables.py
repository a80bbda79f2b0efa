"""Alerts as tables: CSV for a spreadsheet, and lines to read on a screen."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

from contraview.apps.detection.conversation import Conversation
from contraview.apps.detection.grouping import COUNTED, of_group
from contraview.apps.detection.living.naming import NAMED
from contraview.apps.detection.reasons import Reason
from contraview.core.plain_text import csv_cell, plain

_HEAD: Final = f"{'TIME (UTC)':<19} SEV  SCORE  {'WHO':<44} WHY\n"
_REASONS: Final = 3
_WIDEST: Final = 48
"""Characters of an address or a value on a screen."""


def as_csv(alerts: pl.DataFrame, reasons: Iterable[list[Reason]], *, head: bool) -> str:
    """All columns of the source, what the detector makes of the row, and the reasons' columns."""
    why = [" ".join(reason.column for reason in row) for row in reasons]
    table = alerts.drop("alert").with_columns(pl.Series("reasons", why, dtype=pl.String))
    table = table.with_columns(
        pl.col(pl.String).map_elements(csv_cell, return_dtype=pl.String, skip_nulls=True)
    ).rename({name: csv_cell(name) for name in table.columns})
    return table.write_csv(include_header=head)


def as_text(
    alerts: pl.DataFrame, reasons: Iterable[list[Reason]], levels: Sequence[int], *, head: bool
) -> str:
    """One line an alert: when, how bad, who with whom, and the columns that made it stand out."""
    lines = [
        _line(row, why, level)
        for row, why, level in zip(alerts.iter_rows(named=True), reasons, levels, strict=True)
    ]
    return "".join([_HEAD if head else "", *lines])


def _line(row: dict[str, Any], why: list[Reason], level: int) -> str:
    ends, group = Conversation.of(row), of_group(row)
    when = "-" if ends.last is None else f"{ends.last:%Y-%m-%d %H:%M:%S}"
    who = _who(ends, group)
    told = ", ".join(
        f"{plain(reason.column)} {_value(reason.value)} (usual {_value(reason.usual)})"
        for reason in why[:_REASONS]
    )
    rule = f"rule {plain(row['rule'])}; " if row["rule"] else ""
    named = f"{plain(row[NAMED])}; " if row.get(NAMED) else ""
    return f"{when:<19}   {level} {row['score']:>6.2f}  {who:<44} {named}{rule}{told}\n"


def _who(ends: Conversation, group: dict[str, Any]) -> str:
    source, target = (plain(end or "?", _WIDEST) for end in (ends.src, ends.dst))
    protocol = f" {plain(ends.protocol.lower(), _WIDEST)}" if ends.protocol else ""
    if group.get("flows", 1) == 1:
        return f"{_end(source, ends.src_port)} > {_end(target, ends.dst_port)}{protocol}"
    hosts = target if group["destinations"] == 1 else _many(group["destinations"], "host")
    ports = _many(group["ports"], "port")
    return f"{source} > {hosts}, {ports}{protocol}, {group['flows']:,} flows"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _many(count: int, what: str) -> str:
    more = "+" if count >= COUNTED else ""
    return f"{count:,}{more} {what}{'' if count == 1 else 's'}"


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else plain(str(value), _WIDEST)
