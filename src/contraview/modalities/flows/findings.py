"""What a fit should say about its data before anybody trusts the result."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.data import Flows

RARE: Final = 10
"""A category with fewer rows than this is rare: little can be learnt about it."""
ALIKE: Final = 0.9999
"""Columns whose correlation, over the first rows, is at least this say the same."""
_NAMED: Final = 8
_NEVER_NEGATIVE: Final = re.compile(
    r"byte|pkt|packet|dur|len|count|rate|iat|size|segment|/s$|_per_s$", re.IGNORECASE
)
_MAY_BE_NEGATIVE: Final = re.compile(r"win", re.IGNORECASE)
"""Window sizes are -1 where there was no TCP packet to read them from."""


@dataclass(frozen=True)
class Findings:
    """What was found in the inputs; every mapping goes from a column to a number of rows.

    Attributes:
        rows: rows looked at.
        corrupt: rows of the source that were kept out when it was read.
        first_corrupt: where and what the first of these is.
        notes: what the reader had to say of the files.
        missing: empty cells.
        nan: cells that are not a number.
        infinite: infinite cells.
        negative: negative cells in lengths, counts, times and rates.
        constant: columns with one value, and that value; no model learns from them.
        duplicates: the share of rows whose inputs repeat an earlier row's.
        alike: pairs of columns that say the same.
        identity: columns left out because they tell who talked to whom.
        left_out: other columns left out, and why.
        categories: the rows of each value of each categorical column, most frequent first.
    """

    rows: int
    corrupt: int
    first_corrupt: str
    notes: tuple[str, ...]
    missing: Mapping[str, int]
    nan: Mapping[str, int]
    infinite: Mapping[str, int]
    negative: Mapping[str, int]
    constant: Mapping[str, float | str]
    duplicates: float
    alike: tuple[tuple[str, str], ...]
    identity: tuple[str, ...]
    left_out: Mapping[str, str]
    categories: Mapping[str, Mapping[str, int]]

    @property
    def rare(self) -> dict[str, tuple[str, ...]]:
        """The values with fewer than `RARE` rows, for each categorical column that has some."""
        found = {
            column: tuple(value for value, rows in values.items() if rows < RARE)
            for column, values in self.categories.items()
        }
        return {column: values for column, values in found.items() if values}

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON values, without the text of corrupt cells and files' names."""
        return {
            "rows": self.rows,
            "corrupt": self.corrupt,
            "missing": dict(self.missing),
            "nan": dict(self.nan),
            "infinite": dict(self.infinite),
            "negative": dict(self.negative),
            "constant": dict(self.constant),
            "duplicates": self.duplicates,
            "alike": [list(pair) for pair in self.alike],
            "identity": list(self.identity),
            "left_out": dict(self.left_out),
            "categories": {column: dict(values) for column, values in self.categories.items()},
        }

    def table(self) -> pl.DataFrame:
        """One row a finding: what, column, rows."""
        counts = {
            "missing": self.missing,
            "nan": self.nan,
            "infinite": self.infinite,
            "negative": self.negative,
        }
        found = [(kind, c, n) for kind, columns in counts.items() for c, n in columns.items()]
        found += [("constant", column, self.rows) for column in self.constant]
        return pl.DataFrame(
            found,
            schema={"finding": pl.String, "column": pl.String, "rows": pl.Int64},
            orient="row",
        )

    def lines(self) -> list[str]:
        """The findings as sentences, the worst first."""
        said = []
        if self.corrupt:
            said.append(f"{self.corrupt:,} corrupt rows kept out; the first: {self.first_corrupt}")
        said += self.notes
        for what, columns in (
            ("infinite values", self.infinite),
            ("values that are not a number", self.nan),
            ("negative values where none can be", self.negative),
            ("empty cells", self.missing),
        ):
            if columns:
                said.append(f"{what}: {_several(f'{c} {n:,}' for c, n in columns.items())}")
        if self.constant:
            said.append(
                f"constant columns: {_several(f'{c} = {v}' for c, v in self.constant.items())}"
            )
        if self.duplicates >= 0.01:
            said.append(f"{self.duplicates:.0%} of {self.rows:,} rows repeat an earlier one")
        if self.alike:
            said.append(
                f"columns that say the same: {_several(f'{a} = {b}' for a, b in self.alike)}"
            )
        for column, values in self.rare.items():
            said.append(
                f"{column}: {len(values)} of {len(self.categories[column])} values are rare"
            )
        if self.identity:
            said.append(f"left out, as they tell who talked to whom: {_several(self.identity)}")
        others = {c: why for c, why in self.left_out.items() if c not in self.identity}
        if others:
            said.append(f"left out: {_several(f'{c} ({why})' for c, why in others.items())}")
        return said


def inspect(flows: Flows) -> Findings:
    """Look through the inputs of ``flows``, in constant memory but for one number a row."""
    counts, hashes = [], []
    categories: dict[str, Counter[str]] = {column: Counter() for column in flows.categorical}
    alike: tuple[tuple[str, str], ...] = ()
    for rows in flows.inputs():
        alike = alike if counts else _alike(rows.select(flows.numeric))
        counts.append(rows.select(_counts(flows)))
        hashes.append(rows.hash_rows().to_numpy())
        for column, values in categories.items():
            found = rows[column].drop_nulls().value_counts()
            values.update(dict(found.iter_rows()))
    if not counts:
        raise InputError(f"{flows.intake.sources[0]}: no rows to look at")
    every = pl.concat(counts)
    total, low, high = every.sum(), every.min(), every.max()
    rows_seen = int(total["rows"].item())

    def counted(what: str, columns: Sequence[str]) -> dict[str, int]:
        return {c: n for c in columns if (n := int(total[f"{what} {c}"].item()))}

    missing, nan = counted("missing", flows.columns), counted("nan", flows.numeric)
    constant: dict[str, float | str] = {
        column: low[f"low {column}"].item()
        for column in flows.numeric
        if column not in missing
        and column not in nan
        and low[f"low {column}"].item() == high[f"high {column}"].item()
    }
    constant |= {
        column: next(iter(values))
        for column, values in categories.items()
        if len(values) == 1 and column not in missing
    }
    return Findings(
        rows=rows_seen,
        corrupt=flows.intake.corrupt,
        first_corrupt=flows.intake.first,
        notes=flows.intake.notes,
        missing=missing,
        nan=nan,
        infinite=counted("infinite", flows.numeric),
        negative=counted("negative", [c for c in flows.numeric if _never_negative(c)]),
        constant=constant,
        duplicates=1 - _distinct(hashes) / rows_seen,
        alike=tuple((a, b) for a, b in alike if a not in constant and b not in constant),
        identity=flows.identity,
        left_out=flows.left_out,
        categories={column: _by_rows(values) for column, values in categories.items()},
    )


def _never_negative(column: str) -> bool:
    return bool(_NEVER_NEGATIVE.search(column)) and not _MAY_BE_NEGATIVE.search(column)


def _counts(flows: Flows) -> Iterator[pl.Expr]:
    yield pl.len().cast(pl.Int64).alias("rows")
    for column in flows.columns:
        yield pl.col(column).null_count().alias(f"missing {column}")
    for column in flows.numeric:
        value = pl.col(column).cast(pl.Float64)
        yield value.is_nan().sum().alias(f"nan {column}")
        yield value.is_infinite().sum().alias(f"infinite {column}")
        yield (value < 0).sum().alias(f"negative {column}")
        yield value.min().alias(f"low {column}")
        yield value.max().alias(f"high {column}")


def _distinct(hashes: Sequence[np.ndarray]) -> int:
    """How many different values there are, with no more memory than one copy of them."""
    every = np.concatenate(hashes)
    every.sort()
    return 1 + int(np.count_nonzero(every[1:] != every[:-1]))


def _by_rows(values: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, then by name."""
    return dict(sorted(values.items(), key=lambda item: (-item[1], item[0])))


def _alike(rows: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    """Each column with the first earlier one it goes with."""
    values = rows.cast(pl.Float64).to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(values)
        center = np.where(finite, values, 0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
        centered = np.where(finite, values - center, 0)
        length = np.sqrt((centered**2).sum(axis=0))
        unit = centered / np.where(length > 0, length, 1)
        together = np.triu(np.abs(unit.T @ unit) >= ALIKE, k=1)
    firsts = {int(b): int(np.argmax(together[:, b])) for b in np.flatnonzero(together.any(axis=0))}
    return tuple((rows.columns[a], rows.columns[b]) for b, a in firsts.items())


def _several(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
