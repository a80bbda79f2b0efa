from datetime import datetime

import numpy as np
import polars as pl
import pytest

from contraview.core.errors import InputError
from contraview.modalities.series.data import read_series

N = 40


def table(every="1h"):
    start = datetime(2024, 1, 31)
    times = pl.datetime_range(start, datetime(2034, 1, 1), every, eager=True)[:N]
    return pl.DataFrame({"date": times, "load": np.arange(N) * 1.0, "heat": np.arange(N) ** 2})


def test_a_csv_is_read_with_its_step(tmp_path):
    table().write_csv(tmp_path / "x.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    series = read_series(tmp_path / "x.csv")
    assert series.channels == series.targets == ("load", "heat")
    assert series.clock.size == 3600e6
    assert len(series) == N
    assert series.fingerprint() == read_series(table()).fingerprint()
    assert series.collect().columns == ["date", "load", "heat"]


@pytest.mark.parametrize(
    ("every", "last", "following"),
    [
        ("1h", datetime(2024, 2, 1, 15), datetime(2024, 2, 1, 17)),
        ("15m", datetime(2024, 1, 31, 9, 45), datetime(2024, 1, 31, 10, 15)),
        ("1d", datetime(2024, 3, 10), datetime(2024, 3, 12)),
        ("1w", datetime(2024, 10, 30), datetime(2024, 11, 13)),
    ],
)
def test_the_clock_goes_on_past_the_end(every, last, following):
    series = read_series(table(every))
    assert series.times[-1] == last
    assert series.clock.after(series.times[-1:], 2)[1] == following


def test_months_are_regular_although_they_differ_in_length():
    dates = pl.date_range(datetime(2020, 1, 1), datetime(2022, 12, 1), "1mo", eager=True)
    series = read_series(pl.DataFrame({"month": dates, "x": np.arange(36.0)}), time="month")
    assert series.clock.unit == "mo"
    following = series.clock.after(series.times[-1:], 2)
    assert following.to_list() == [datetime(2023, 1, 1).date(), datetime(2023, 2, 1).date()]


def test_times_may_be_plain_numbers():
    series = read_series(pl.DataFrame({"t": np.arange(0, 20, 2), "x": np.arange(10.0)}), time="t")
    assert series.clock.after(series.times[-1:], 2).to_list() == [20, 22]


def test_short_gaps_of_values_are_bridged():
    holed = table().with_columns(
        load=pl.when(pl.int_range(N).is_in([5, 6])).then(None).otherwise("load")
    )
    assert read_series(holed, max_gap=2).values[5:7, 0].tolist() == [5, 6]


def test_files_may_follow_each_other(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    table()[:25].write_parquet(paths[0])
    table()[25:].write_parquet(paths[1])
    assert len(read_series(paths)) == N
    with pytest.raises(InputError, match="row 16: 2024"):
        read_series(paths[::-1])


def test_a_stretch_can_be_taken_a_choice_of_rows_cannot():
    series = read_series(table())
    assert series.take(range(5, 9)).values[:, 0].tolist() == [5, 6, 7, 8]
    with pytest.raises(InputError, match="split in time only"):
        series.take([1, 3])


def changed(row, column, value):
    rows = table().to_dicts()
    rows[row][column] = value
    return pl.DataFrame(rows, schema_overrides={column: pl.String} if value == "abc" else None)


GAP = pl.concat([table()[:17], table()[19:]])
TWICE = pl.concat([table()[:17], table()[16:]])
TEXT = table().with_columns(pl.col("load").cast(pl.String)).to_dicts()
TEXT[16]["load"] = "abc"


@pytest.mark.parametrize(
    ("source", "knobs", "says"),
    [
        (GAP, {}, "row 18: 2024-01-31 19:00:00 is 3 h after .*16:00:00; expected steps of 1 h"),
        (TWICE, {}, "row 18: 2024-01-31 16:00:00 is no later than 2024-01-31 16:00:00"),
        (changed(16, "load", None), {}, "'load', row 17 .2024-01-31 16:00:00.: 1 missing in a row"),
        (changed(0, "load", None), {"max_gap": 3}, "row 1 .*missing"),
        (changed(3, "date", None), {}, "'date', row 4: empty"),
        (pl.DataFrame(TEXT), {}, "'load', row 17 .*: 'abc' is not a finite number"),
        (table().rename({"date": "when"}), {}, "no column 'date'; there are when, load"),
        (table(), {"channels": ("cold",)}, "no column 'cold'"),
        (table(), {"targets": ("cold",)}, "target cold is no channel; there are load, heat"),
        (table()[:2], {}, "2 rows; expected at least 3"),
        (table().with_columns(date=pl.lit("soon")), {}, "'soon' is no time"),
        ("no/such.csv", {}, "no such file"),
        (3.5, {}, "got float"),
        ([], {}, "got list"),
    ],
)
def test_wrong_input_is_one_line_that_says_where(source, knobs, says):
    with pytest.raises(InputError, match=says) as error:
        read_series(source, **knobs)
    assert "\n" not in str(error.value)
