"""Cells of text as numbers, categories and times; which cells are none of these.

A cell that says "nothing here" is empty, "NaN" and "Infinity" are numbers, and a text where a
number belongs is corrupt.
"""

from typing import Final

import polars as pl

EMPTY: Final = ("", "-", "(empty)", "NA", "N/A", "null", "NULL", "None")
"""Texts that stand for no number."""

TIME_FORMATS: Final = (
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
)
"""Times as logs and data sets write them; without a zone they are taken as UTC."""


def text(column: str) -> pl.Expr:
    """The column without blanks around its values."""
    return pl.col(column).cast(pl.String).str.strip_chars()


def is_empty(column: str) -> pl.Expr:
    """Whether a cell of text holds no value."""
    return text(column).fill_null("").is_in(EMPTY)


def number(column: str) -> pl.Expr:
    """A column of text as numbers; null where a cell is empty or corrupt."""
    return text(column).cast(pl.Float64, strict=False)


def is_corrupt(column: str) -> pl.Expr:
    """Whether a cell of a number column holds a text that is no number."""
    return number(column).is_null() & ~is_empty(column)


def category(column: str, blank: str | None) -> pl.Expr:
    """A column as categories; an empty cell becomes ``blank``."""
    value = text(column)
    if blank is None:
        return value.replace({"": None})
    return value.replace({"": blank, "(empty)": blank}).fill_null(blank)


def moment(column: str) -> pl.Expr:
    """A column of text as UTC times; null where no known form fits."""
    value = text(column)
    found = [
        value.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        for form in TIME_FORMATS
    ]
    return pl.coalesce(found)
