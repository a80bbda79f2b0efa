"""A time series as a person has it: `read_series` gives `Series`."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.parquet_files import read_parquet
from contraview.core.reading import reading
from contraview.modalities.series.clock import Clock


class SeriesSource(Config):
    """How a series is read."""

    time: str = Field("date", description="the column with the time of each row, date or number")
    channels: tuple[str, ...] = Field(
        (), description="the columns to learn from; unset: every column beside the time"
    )
    targets: tuple[str, ...] = Field(
        (), description="the columns to forecast, among the channels; unset: all of them"
    )
    max_gap: int = Field(
        0, ge=0, description="missing values in a row that a straight line may bridge"
    )

    def read(self, source: Any) -> "Series":
        """The series of ``source``; see `read_series`."""
        if isinstance(source, Series):
            return source
        name, table = _table(source)
        for column in (self.time, *self.channels):
            if column not in table.columns:
                raise InputError(
                    f"{name}: no column {column!r}; there are {', '.join(table.columns[:12])}"
                )
        channels = self.channels or tuple(c for c in table.columns if c != self.time)
        unknown = [target for target in self.targets if target not in channels]
        if unknown or not channels:
            raise InputError(
                f"{name}: target {', '.join(unknown) or 'unknown'} is no channel; there are "
                f"{', '.join(channels[:12]) or 'none'}"
            )
        times = _times(name, table[self.time])
        clock = Clock.of(name, times)
        columns = [_numbers(name, table[column], times, self.max_gap) for column in channels]
        return Series(name, times, np.stack(columns, 1), channels, self.targets or channels, clock)


def read_series(source: Any, settings: SeriesSource | None = None, **knobs: Any) -> "Series":
    """Read one series: a row a step of time, in order, without gaps.

    Args:
        source: a path (.csv, .parquet), several that follow each other in time, or a polars or
            pandas table. A `Series` is given back as it is.
        settings: how to read it.
        **knobs: the fields of `SeriesSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, damaged, times that are not regular, values that are missing or
            are no numbers; one line that says where.
    """
    return (settings or SeriesSource.of(**knobs)).read(source)


@dataclass(frozen=True, eq=False)
class Series:
    """Values at regular times; an item is a row.

    Attributes:
        name: where it came from.
        times: of the rows.
        values: [t, c].
        channels: the names of the columns.
        targets: those to forecast.
        clock: the step between rows.
    """

    name: str
    times: pl.Series
    values: Float[np.ndarray, "t c"]
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    clock: Clock
    label = None
    """Rows of a series have no labels."""

    @property
    def time(self) -> str:
        """The name of the time column."""
        return self.times.name

    def __len__(self) -> int:
        return len(self.times)

    def parts(self) -> Iterator["Series"]:
        """All rows at once: what follows needs the rows before."""
        yield self

    def collect(self, *expressions: pl.Expr) -> pl.DataFrame:
        """Time and channels as a table, or what ``expressions`` make of them."""
        table = pl.DataFrame({self.time: self.times}).hstack(
            [pl.Series(name, self.values[:, i]) for i, name in enumerate(self.channels)]
        )
        return table.select(expressions) if expressions else table

    def labels(self) -> Any:
        """Rows of a series have none: what comes later is the truth."""
        raise InputError(f"{self.name}: a series has no labels; later rows are the truth")

    def take(self, rows: Any) -> "Series":
        """A stretch of the series: ``rows`` have to follow each other."""
        chosen = np.asarray(rows, dtype=np.int64)
        if len(chosen) and (np.diff(chosen) != 1).any():
            raise InputError(f"{self.name}: a series is split in time only; expected --split time")
        stretch = slice(int(chosen[0]), int(chosen[-1]) + 1) if len(chosen) else slice(0, 0)
        return replace(self, times=self.times[stretch], values=self.values[stretch])

    def fingerprint(self) -> str:
        """SHA-256 over times, values and names."""
        digest = hashlib.sha256("\x1f".join((self.time, *self.channels)).encode())
        digest.update("\n".join(map(str, self.times)).encode())
        digest.update(np.ascontiguousarray(self.values, np.float64).tobytes())
        return digest.hexdigest()


def _table(source: Any) -> tuple[str, pl.DataFrame]:
    if isinstance(source, pl.DataFrame):
        return "table", source
    if type(source).__module__.partition(".")[0] == "pandas":
        return "table", pl.from_pandas(source)
    if isinstance(source, str | Path):
        return str(source), _file(Path(source))
    if isinstance(source, Sequence) and source and all(isinstance(s, str | Path) for s in source):
        tables = [_file(Path(path)) for path in source]
        for path, table in zip(source, tables, strict=True):
            if table.schema != tables[0].schema:
                raise InputError(f"{path}: other columns than {source[0]}; expected the same")
        return str(source[0]), pl.concat(tables)
    raise InputError(
        f"series: got {type(source).__name__}; expected paths (.csv, .parquet) or a table"
    )


def _file(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{path}: expected .csv or .parquet")
    if path.suffix.lower() == ".parquet":
        return read_parquet(path, str(path))
    with reading(str(path)):
        return pl.read_csv(path, infer_schema_length=None)


def _times(name: str, column: pl.Series) -> pl.Series:
    """Times as dates or numbers; text is read as ISO dates."""
    if column.dtype == pl.String:
        for kind in (pl.Datetime("us"), pl.Date):
            try:
                dates = column.str.strptime(kind, strict=False)
            except pl.exceptions.ComputeError:  # not even the first looks like a date
                continue
            lost = dates.is_null() & column.is_not_null()
            if not lost.any():
                return _in_years(name, dates)
            if not lost.all():
                row = int(lost.arg_max() or 0)
                raise InputError(
                    f"{name}: column {column.name!r}, row {row + 1}: {column[row]!r} is no date "
                    f"like the others, such as {column[int((~lost).arg_max() or 0)]!r}"
                )
        raise InputError(
            f"{name}: column {column.name!r}, row 1: {column[0]!r} is no time; expected dates as "
            "2024-01-31 or 2024-01-31 12:00:00, or numbers"
        )
    if column.dtype in (pl.Date, pl.Datetime):
        return _in_years(name, column)
    if column.dtype.is_numeric():
        return column
    raise InputError(f"{name}: column {column.name!r} holds {column.dtype}; expected times")


def _in_years(name: str, dates: pl.Series) -> pl.Series:
    """The dates, all of them in the years that Python's own dates know: it has to say them."""
    wrong = ~dates.dt.year().is_between(1, 9999).fill_null(value=True)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise InputError(
            f"{name}: column {dates.name!r}, row {row + 1}: year {dates.dt.year()[row]}; expected "
            "1 to 9999"
        )
    return dates


def _numbers(
    name: str, column: pl.Series, times: pl.Series, max_gap: int
) -> Float[np.ndarray, " t"]:
    where = f"{name}: column {column.name!r}"
    if column.dtype.is_temporal() or column.dtype.is_nested():
        raise InputError(f"{where} holds {column.dtype}; expected numbers (name the channels)")
    numbers = column.cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() & column.is_not_null()) | numbers.is_infinite().fill_null(False)
    if column.dtype == pl.String:
        wrong &= ~column.str.strip_chars().str.to_lowercase().is_in(["", "nan", "na", "null"])
    if wrong.fill_null(False).any():
        row = int(wrong.fill_null(False).arg_max() or 0)
        raise InputError(
            f"{where}, row {row + 1} ({times[row]}): {column[row]!r} is not a finite number (name "
            "the channels if this column is none)"
        )
    values = numbers.fill_null(np.nan).to_numpy().copy()
    missing = np.isnan(values)
    if not missing.any():
        return values
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > max_gap or start == 0 or end == len(values):
            raise InputError(
                f"{where}, row {start + 1} ({times[int(start)]}): {end - start} missing in a row; "
                "expected a number in each (bridge short gaps inside the series with max_gap)"
            )
    known = np.flatnonzero(~missing)
    values[missing] = np.interp(np.flatnonzero(missing), known, values[known])
    return values
