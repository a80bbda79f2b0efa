import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.claims.results import Difference
from contraview.claims.verdict import judge, paired_difference
from contraview.core.errors import InputError

figures = st.lists(st.floats(0, 1).map(lambda x: round(x, 6)), min_size=3, max_size=6)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.02, 0.03, "holds"),
        (0.021, 0.03, "holds"),
        (0.019, 0.03, "undecided"),
        (-0.01, 0.02, "undecided"),
        (-0.01, 0.019, "does not hold"),
    ],
)
def test_the_interval_is_set_against_the_margin(low, high, verdict):
    assert judge(Difference(mean=0.0, low=low, high=high), 0.02, seeds=5) == verdict


def test_two_seeds_decide_nothing():
    sure = Difference(mean=0.5, low=0.5, high=0.5)
    assert judge(sure, 0.0, seeds=2) == "undecided"
    assert judge(sure, 0.0, seeds=3) == "holds"


def test_what_a_seed_does_to_both_arms_cancels():
    easy_and_hard = np.array([0.9, 0.5, 0.7, 0.3, 0.6])
    difference = paired_difference(list(easy_and_hard + 0.02), list(easy_and_hard), "higher")
    assert tuple(difference.values()) == pytest.approx((0.02, 0.02, 0.02))


def test_three_seeds_give_their_range():
    difference = paired_difference([0.5, 0.6, 0.9], [0.4, 0.4, 0.4], "higher")
    assert tuple(difference.values()) == pytest.approx((0.8 / 3, 0.1, 0.5))


def test_lower_figures_can_be_better():
    difference = paired_difference([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], "lower")
    assert tuple(difference.values()) == pytest.approx((2.0, 1.0, 3.0))


@given(figures, figures)
def test_swapping_the_arms_turns_the_difference_around(first, second):
    n = min(len(first), len(second))
    there = paired_difference(first[:n], second[:n], "higher")
    back = paired_difference(second[:n], first[:n], "higher")
    assert (back["mean"], back["low"], back["high"]) == pytest.approx(
        (-there["mean"], -there["high"], -there["low"]), abs=1e-9
    )
    assert there["low"] - 1e-9 <= there["mean"] <= there["high"] + 1e-9
    same = paired_difference(second[:n], first[:n], "higher")
    assert same == back


def test_the_interval_covers_the_truth_as_often_as_documented():
    generator = np.random.default_rng(0)
    covered = [
        difference["low"] <= 0 <= difference["high"]
        for difference in (
            paired_difference(list(generator.normal(size=5)), [0.0] * 5, "higher")
            for _ in range(600)
        )
    ]
    assert np.mean(covered) == pytest.approx(0.92, abs=0.035)  # sd .011


def test_figures_must_pair_up():
    with pytest.raises(InputError, match="one pair a seed"):
        paired_difference([1.0], [1.0, 2.0], "higher")
