import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset
from contraview.modalities.signals.data import Signals, read_signals


def long_table():
    """Two people, 30 and 25 samples; the third has 30 in two stretches of time."""
    t = np.r_[np.arange(30), np.arange(25), np.arange(20), 100 + np.arange(10)]
    subject = np.repeat(["a", "b", "c"], [30, 25, 30])
    return pl.DataFrame({"subject": subject, "t": t, "ppg": t * 1.0, "acc": -1.0 * t})


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_long_table_is_cut_by_subject(tmp_path, suffix):
    path = tmp_path / f"watch.{suffix}"
    table = long_table()
    table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    signals = read_signals(path, channels=("ppg", "acc"), window=10, step=5)
    assert signals.channels == ("ppg", "acc")
    assert len(signals) == 5 + 4 + 5
    assert signals.groups().tolist() == ["a"] * 5 + ["b"] * 4 + ["c"] * 5
    np.testing.assert_array_equal(signals.segments()[1, 0], np.arange(5, 15))
    assert signals.collect()["start"].to_list()[:3] == [0, 5, 10]
    assert (
        signals.fingerprint()
        == read_signals(table, channels=("ppg", "acc"), window=10, step=5).fingerprint()
    )


def test_a_jump_in_time_ends_a_recording():
    signals = read_signals(long_table(), time="t", window=10)
    assert signals.channels == ("ppg", "acc")
    assert signals.groups().tolist() == ["a"] * 3 + ["b"] * 2 + ["c"] * 3
    assert signals.sessions().tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    dated = long_table().with_columns(t=pl.datetime(2024, 1, 1) + pl.duration(seconds="t"))
    assert len(read_signals(dated, time="t", window=10)) == 8
    text = dated.with_columns(pl.col("t").dt.to_string())
    assert len(read_signals(text, time="t", window=10)) == 8


def test_recordings_of_a_subject_are_kept_apart():
    table = pl.DataFrame({"subject": ["a"] * 20, "take": [1, 2] * 10, "x": np.arange(20) * 1.0})
    signals = read_signals(table, recording="take", window=5)
    assert signals.segments()[:, 0, 0].tolist() == [0, 10, 1, 11]


def test_a_wide_table_has_a_recording_a_row():
    table = pl.DataFrame({"subject": [7, 8], "v0": [1, 4], "v1": [2, 5], "v2": [3.5, 6]})
    signals = read_signals(table, layout="wide")
    assert signals.segments().tolist() == [[[1, 2, 3.5]], [[4, 5, 6]]]
    assert signals.groups().tolist() == ["7", "8"]


def test_arrays_and_npz_say_the_same(tmp_path):
    arrays = {
        "signals": np.arange(48).reshape(4, 2, 6),
        "who": np.array(["a", "a", "b", "b"]),
        "age": np.array([30, 30, 40, 40]),
    }
    np.savez(tmp_path / "x.npz", **arrays)
    knobs = {"subject": "who", "labels": "age", "window": 3}
    for source in (tmp_path / "x.npz", arrays):
        signals = read_signals(source, **knobs)
        assert len(signals) == 8
        assert signals.labels().tolist() == [30] * 4 + [40] * 4
    alone = read_signals([np.arange(6.0), np.arange(9.0)], subject=None, window=3)
    assert alone.groups().tolist() == ["0", "0", "1", "1", "1"]


def test_each_file_can_be_a_subject(tmp_path):
    for name in ("ann", "bob"):
        pl.DataFrame({"ecg": np.arange(8) * 1.0}).write_csv(tmp_path / f"{name}.csv")
    paths = [tmp_path / "ann.csv", str(tmp_path / "bob.csv")]
    assert (
        read_signals(paths, subject=None, window=4).groups().tolist() == ["ann"] * 2 + ["bob"] * 2
    )


def test_short_gaps_are_bridged_long_ones_skipped():
    values = np.arange(20.0)
    values[[3, 11, 12, 13]] = np.nan
    source = {"signals": [values], "subject": ["a"]}
    with pytest.raises(InputError, match="1 missing samples in a row from sample 4"):
        read_signals(source, window=5)
    with pytest.raises(InputError, match="3 missing samples in a row from sample 12"):
        read_signals(source, window=5, max_gap=2)
    np.testing.assert_array_equal(
        read_signals(source, window=20, max_gap=3).segments()[0, 0], np.arange(20)
    )
    skipped = read_signals(source, window=5, max_gap=1, unusable="skip")
    assert skipped.start.tolist() == [0, 5, 15]
    assert skipped.segments()[0, 0].tolist() == [0, 1, 2, 3, 4]
    assert np.isfinite(skipped.segments()).all()


def test_gaps_at_an_end_have_no_line_to_bridge_them():
    source = {"signals": [np.array([np.nan, 1, 2, 3])], "subject": ["a"]}
    with pytest.raises(InputError, match="from sample 1;"):
        read_signals(source, max_gap=5)


def test_taking_segments_keeps_their_order():
    signals = read_signals(long_table(), channels=("ppg",), window=10)
    taken = signals.take([5, 0])
    assert isinstance(taken, Signals)
    np.testing.assert_array_equal(taken.segments(), signals.segments()[[5, 0]])
    assert taken.groups().tolist() == ["c", "a"]


BAD_CELL = long_table().with_columns(pl.col("ppg").cast(pl.String)).to_dicts()
BAD_CELL[16]["ppg"] = "abc"
AGED = long_table().with_columns(age=pl.int_range(85))


@pytest.mark.parametrize(
    ("source", "knobs", "says"),
    [
        (long_table().drop("subject"), {}, "no column 'subject' .say which with subject.; there"),
        (pl.DataFrame(BAD_CELL), {"channels": ("ppg",)}, "'ppg', row 17: 'abc' is not a finite"),
        (long_table(), {"window": 50}, "30 samples are shorter than a segment of 50"),
        (long_table(), {}, "25 samples, but .* has 30; say how long"),
        (AGED, {}, "column 'age' looks like a label"),
        (AGED, {"labels": "age"}, "column 'age', row 2: 1 after 0; expected one label"),
        (long_table().clear(), {}, "no rows"),
        (long_table().reverse(), {"time": "t", "window": 5}, "'t', row 2: 108 is no later"),
        (long_table(), {"channels": ("ecg",)}, "no column 'ecg'"),
        (long_table().with_columns(subject=None), {}, "column 'subject', row 1: empty"),
        ({"signals": np.zeros((2, 3, 4))}, {}, "no 'subject'; expected an array of 2"),
        ({"signals": np.zeros((2, 3)), "subject": ["a"]}, {}, "has 1 entries for 2 recordings"),
        ({"x": np.zeros(3)}, {}, "holds x; expected an array 'signals'"),
        (
            {"signals": np.zeros((2, 2, 2, 2)), "subject": [1, 2]},
            {},
            "expected .n, c, t. or .n, t.",
        ),
        (
            {"signals": [np.zeros((1, 5)), np.zeros((2, 5))], "subject": [1, 2]},
            {},
            "2 channels, but",
        ),
        ({"signals": [np.array(["a"])], "subject": [1]}, {}, "expected numbers"),
        ({"signals": [np.array([np.inf])], "subject": [1]}, {}, "holds infinity"),
        ({"signals": [], "subject": []}, {}, "is empty"),
        ([], {}, "got list; expected paths"),
        ("no/such.csv", {}, "no/such.csv: no such file"),
    ],
)
def test_wrong_input_is_one_line_that_says_where(source, knobs, says):
    with pytest.raises(InputError, match=says) as error:
        read_signals(source, **knobs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.wav", b"RIFF", "expected .csv, .parquet"),
        ("x.npz", b"no zip", "cannot be read as a NumPy file"),
        ("x.parquet", b"PAR1", "cannot be read"),
        ("x.csv", b"", "cannot be read"),
        ("x.txt", b"1 2 3\n1 two 3\n", "line 2: .*'two'"),
        ("x.txt", b"\n", "empty"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        read_signals(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_an_npz_never_unpickles(tmp_path):
    np.savez(tmp_path / "x.npz", signals=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="Python objects, which are never loaded"):
        read_signals(tmp_path / "x.npz")


@given(
    length=st.integers(2, 60),
    window=st.integers(2, 20),
    step=st.integers(1, 25),
    holes=st.sets(st.integers(0, 59)),
)
def test_every_segment_is_whole_and_none_is_missed(length, window, step, holes):
    values = np.arange(length, dtype=float)
    values[[hole for hole in holes if hole < length]] = np.nan
    expected = [
        start
        for start in range(0, length - window + 1, step)
        if not np.isnan(values[start : start + window]).any()
    ]
    source = {"signals": [values], "subject": ["a"]}
    if not expected:
        with pytest.raises(InputError, match="no segment of"):
            read_signals(source, window=window, step=step, unusable="skip")
        return
    signals = read_signals(source, window=window, step=step, unusable="skip")
    assert signals.segments()[:, 0, 0].tolist() == expected


def test_pig_cvp_is_52_individuals_with_six_recordings_each():
    try:
        paths = dataset("pig_cvp")
    except InputError:
        pytest.skip("run `contraview data get pig_cvp`")
    signals = read_signals(paths)
    assert signals.segments().shape == (312, 1, 2000)
    assert set(np.unique(signals.groups(), return_counts=True)[1]) == {6}
