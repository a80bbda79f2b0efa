from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.evaluation.splits import group_split, random_split, time_split

fractions = st.sampled_from([(0.4, 0.2, 0.4), (0.5, 0.5), (0.7, 0.3), (1.0,), (0.25,) * 4])
seeds = st.integers(0, 2**32)


def parts_or_reject(split, *args):
    try:
        return split(*args)
    except InputError as error:
        refusal = str(error)
    assert "a part would be empty" in refusal
    return reject()


def assert_a_partition(parts, n):
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert all((np.diff(part) > 0).all() and len(part) for part in parts)


@given(st.integers(1, 200), fractions, seeds)
def test_random_parts_hold_every_row_once_in_the_asked_sizes(n, shares, seed):
    parts = parts_or_reject(random_split, n, shares, seed)
    assert_a_partition(parts, n)
    assert all(abs(len(p) - f * n) <= 1 for p, f in zip(parts, shares, strict=True))


@given(st.lists(st.integers(0, 3), min_size=8, max_size=80), fractions, seeds)
def test_each_stratum_is_split_in_the_same_shares(strata, shares, seed):
    strata = np.array(strata)
    parts = parts_or_reject(random_split, strata, shares, seed)
    assert_a_partition(parts, len(strata))
    for value in np.unique(strata):
        size = (strata == value).sum()
        for part, share in zip(parts, shares, strict=True):
            assert abs((strata[part] == value).sum() - share * size) <= 1


def test_exact_sizes_where_the_shares_are_whole():
    assert [len(part) for part in random_split(16_000, (0.4, 0.2, 0.4), 3)] == [6400, 3200, 6400]


def test_strata_of_one_row_stay_in_proportion():
    parts = random_split(np.arange(5000), (0.4, 0.2, 0.4), 0)
    assert [len(p) for p in parts] == pytest.approx([2000, 1000, 2000], abs=150)  # sd at most 35


def test_the_seed_decides():
    one, two, again = (random_split(100, (0.5, 0.5), seed)[0] for seed in (1, 2, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, two)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), fractions, seeds)
def test_no_group_is_on_two_sides(groups, shares, seed):
    groups = np.array(groups)
    parts = parts_or_reject(group_split, groups, shares, seed)
    assert_a_partition(parts, len(groups))
    sides = [set(groups[part]) for part in parts]
    assert sum(map(len, sides)) == len(set(groups))


def test_even_groups_are_cut_at_the_asked_shares():
    groups = np.repeat([f"host{i}" for i in range(10)], 7)
    assert [len(part) for part in group_split(groups, (0.6, 0.2, 0.2), 0)] == [42, 14, 14]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), fractions)
def test_every_part_lies_before_the_next(times, shares):
    times = np.array(times)
    parts = parts_or_reject(time_split, times, shares)
    assert_a_partition(parts, len(times))
    for earlier, later in pairwise(parts):
        assert times[earlier].max() < times[later].min()


def test_time_split_by_hand():
    times = np.array(["2025-01-03", "2025-01-01", "2025-01-02", "2025-01-02"], "datetime64[D]")
    first, second = time_split(times, (0.5, 0.5))
    assert first.tolist() == [1, 2, 3]
    assert second.tolist() == [0]


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InputError, match="sum to 1"):
        random_split(10, (0.5, 0.4), 0)
    with pytest.raises(InputError, match="1 groups"):
        group_split(np.zeros(10), (0.5, 0.5), 0)
    with pytest.raises(InputError, match="missing values"):
        time_split(np.array([1.0, np.nan]), (0.5, 0.5))
