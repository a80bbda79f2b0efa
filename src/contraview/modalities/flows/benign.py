"""``attack_cat == Normal``: a small language that says which rows are meant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError

_FORM: Final = "COLUMN == VALUE, COLUMN != VALUE or COLUMN in [VALUE, ...], joined by 'and'"
_WORD: Final = r"""(?:"[^"]*"|'[^']*'|[^\s,\[\]=!"']+(?:[ \t]+(?!(?:and|in)\b)[^\s,\[\]=!"']+)*)"""
_CLAUSE: Final = re.compile(
    rf"\s*(?P<column>{_WORD})\s*"
    rf"(?:(?P<sign>==|!=)\s*(?P<value>{_WORD})|in\s*\[\s*(?P<values>{_WORD}(?:\s*,\s*{_WORD})*)\s*\])"
    r"\s*(?P<more>and\b|$)"
)


@dataclass(frozen=True)
class Condition:
    """A condition on rows, read from text; nothing is ever evaluated as code.

    Attributes:
        clauses: (column, whether the value must be among them, values), all of which must hold.
    """

    text: str
    clauses: tuple[tuple[str, bool, tuple[str, ...]], ...]

    @classmethod
    def read(cls, text: str) -> "Condition":
        """Read ``COLUMN == VALUE``, ``!=`` and ``in [...]``, joined by ``and``.

        Names and values with signs in them are quoted: ``"Web Attack" != 'a, b'``.
        """
        clauses = []
        position, more = 0, True
        while more:
            found = _CLAUSE.match(text, position)
            if not found:
                raise InputError(
                    f"{text!r}: cannot be read at {text[position:]!r}; expected {_FORM}"
                )
            words = re.findall(_WORD, found["values"] or found["value"])
            values = tuple(_bare(word) for word in words)
            clauses.append((_bare(found["column"]), found["sign"] != "!=", values))
            position, more = found.end(), bool(found["more"])
        return cls(text, tuple(clauses))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition looks at."""
        return tuple(column for column, _, _ in self.clauses)

    def expression(self, schema: Mapping[str, Any]) -> pl.Expr:
        """The condition for a table of ``schema``."""
        whole = pl.lit(value=True)
        for column, wanted, values in self.clauses:
            if column not in schema:
                raise InputError(
                    f"{self.text!r}: no column {column!r}; there are {', '.join(schema)}"
                )
            among = self._among(column, values, schema[column]).fill_null(value=False)
            whole &= among if wanted else ~among
        return whole

    def _among(self, column: str, values: tuple[str, ...], dtype: Any) -> pl.Expr:
        numbers = [number for value in values if (number := _number(value)) is not None]
        if dtype.is_numeric():
            if len(numbers) < len(values):
                raise InputError(
                    f"{self.text!r}: column {column!r} holds numbers; expected numbers to compare"
                )
            return pl.col(column).cast(pl.Float64).is_in(numbers)
        if dtype == pl.Boolean:
            values = tuple(value.lower() for value in values)
        cells = pl.col(column).cast(pl.String).str.strip_chars()
        # A column of text may still hold numbers: 0 means "0" as well as "0.0".
        return cells.is_in(values) | cells.cast(pl.Float64, strict=False).is_in(numbers)


def _bare(word: str) -> str:
    return word[1:-1] if word[0] in "\"'" else word


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
