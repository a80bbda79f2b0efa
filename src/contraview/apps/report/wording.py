"""Numbers, quantities and times as a person reads them."""

import math
import re
from datetime import UTC, datetime
from typing import Final

from contraview.apps.report.judgement import Figure
from contraview.core.plain_text import plain
from contraview.modalities.flows.schema import STATISTICS

_TIMES: Final = re.compile(r"iat|duration|active|idle")
_BYTES: Final = re.compile(r"_len_(?!var)|bytes_mean|win_bytes|rate_mean|bytes_per_s")
_PER_SECOND: Final = re.compile(r"_per_s$|rate_mean$")


def count(number: int | float) -> str:
    """1,234"""
    return f"{number:,.0f}"


def percent(share: float) -> str:
    """A share in percent with the digits that matter: 0.94 %, 12.3 %, 100 %."""
    return f"{_hundredths(share)} %"


def percents(figure: Figure) -> str:
    """A share with its interval: 0.94 % [0.71, 1.21]."""
    return f"{percent(figure.value)} [{_hundredths(figure.low)}, {_hundredths(figure.high)}]"


def _hundredths(share: float) -> str:
    value = 100 * share
    digits = 2 if value < 9.995 else 1
    return f"{value:.{digits}f}" if 0 < value < 99.95 else f"{value:.0f}"


def decimals(figure: Figure) -> str:
    """A figure between 0 and 1 with its interval: .981 [.974, .987]."""
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def number(value: int | float) -> str:
    """At most four digits that matter: 0.01234, 12.34, 12,340."""
    if value % 1 == 0 and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def quantity(column: str, value: int | float | str | None) -> str:
    """A value of a column, with its unit where the column is one of the meter's statistics."""
    if isinstance(value, str):
        return plain(value)
    if value is None or math.isnan(value):
        return "missing"
    if column not in STATISTICS:
        return number(value)
    if _TIMES.search(column):
        return _duration(value)
    if _BYTES.search(column) and value >= 0:
        return _scaled(value, "B") + ("/s" if _PER_SECOND.search(column) else "")
    return number(value) + ("/s" if _PER_SECOND.search(column) else "")


def moment(time: datetime) -> str:
    """To the second, in UTC."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _duration(microseconds: int | float) -> str:
    for unit, size in (("h", 3.6e9), ("min", 6e7), ("s", 1e6), ("ms", 1e3)):
        if abs(microseconds) >= 2 * size or (unit in ("s", "ms") and abs(microseconds) >= size):
            return f"{number(microseconds / size)} {unit}"
    return f"{number(microseconds)} µs"


def _scaled(value: int | float, unit: str) -> str:
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (prefix != "k" and value >= size):
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{number(value)} {unit}"
