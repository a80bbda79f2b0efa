"""The step of a series: found from its times, checked at every row, carried on past the end."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from contraview.core.errors import InputError


@dataclass(frozen=True)
class Clock:
    """A regular step of time.

    Attributes:
        unit: ``mo`` for whole months, ``us`` for microseconds, ``n`` for plain numbers.
        size: how many of them a step is.
    """

    unit: str
    size: float

    @classmethod
    def of(cls, name: str, times: pl.Series) -> "Clock":
        """The step of rising ``times``; each row has to come one step after the row before.

        Dates a month (or several) apart count as regular although months differ in length.

        Raises:
            InputError: a time that is missing, repeated or earlier than the row before, or a gap:
                with the row, counted from 1, and the time.
        """
        where = f"{name}: column {times.name!r}"
        if times.null_count():
            row = int(times.is_null().arg_max() or 0) + 1
            raise InputError(f"{where}, row {row}: empty; expected a time in each row")
        if len(times) < 3:
            raise InputError(f"{where}: {len(times)} rows; expected at least 3, to find the step")
        dated = times.dtype.is_temporal()
        numbers = (times.dt.epoch("us") if dated else times).cast(pl.Float64).to_numpy()
        steps = np.diff(numbers)
        if (steps <= 0).any():
            row = int((steps <= 0).argmax()) + 1
            raise InputError(
                f"{where}, row {row + 1}: {times[row]} is no later than {times[row - 1]} before; "
                "expected rising times, none twice"
            )
        if dated and (months := _months(times)):
            return cls("mo", float(months))
        usual = float(np.median(steps))
        wrong = np.abs(steps - usual) > 1e-6 * usual
        if wrong.any():
            row = int(wrong.argmax()) + 1
            found, expected = (_length(value, dated=dated) for value in (steps[row - 1], usual))
            raise InputError(
                f"{where}, row {row + 1}: {times[row]} is {found} after {times[row - 1]}; expected "
                f"steps of {expected}, without gaps"
            )
        return cls("us" if dated else "n", usual)

    def after(self, last: pl.Series, count: int) -> pl.Series:
        """The ``count`` times that follow the only entry of ``last``."""
        if self.unit == "n":
            following = float(last[0]) + self.size * np.arange(1, count + 1)
            return pl.Series(last.name, following).cast(last.dtype, strict=False)
        steps = [f"{round(self.size) * i}{self.unit}" for i in range(1, count + 1)]
        frame = pl.DataFrame({"at": last.extend_constant(last[0], count - 1), "by": steps})
        return frame.select(pl.col("at").dt.offset_by(pl.col("by")).alias(last.name)).to_series()


def _months(times: pl.Series) -> int:
    """How many months a step is; 0 where steps are no whole months."""
    number = (times.dt.year().cast(pl.Int64) * 12 + times.dt.month().cast(pl.Int64)).to_numpy()
    months = int(number[1] - number[0])
    if months < 1 or (np.diff(number) != months).any():
        return 0
    same_day = times.dt.day().n_unique() == 1 or (times == times.dt.month_end()).all()
    return months if same_day else 0


def _length(size: float, *, dated: bool) -> str:
    """A length of time for a message."""
    if not dated:
        return f"{size:g}"
    for unit, microseconds in (("d", 86_400e6), ("h", 3600e6), ("min", 60e6), ("s", 1e6)):
        if size >= microseconds:
            return f"{size / microseconds:g} {unit}"
    return f"{size:g} us"
