import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.evaluation.threshold import (
    alarm_rate,
    alarms_allowed,
    rows_needed,
    threshold_at_fpr,
)


def test_rows_needed_by_hand():
    assert [rows_needed(fpr) for fpr in (0.5, 0.1, 0.05, 0.01, 0.001, 0.0001)] == [
        *(1, 9, 19, 99, 999, 9999)
    ]
    assert rows_needed(0.03) == 33  # 1 / 34 < .03 < 1 / 33


def test_products_a_hair_below_an_integer_count_in_full():
    assert 0.29 * 100 < 29
    assert alarms_allowed(99, 0.29) == 29


def test_too_few_rows_say_how_many_are_needed():
    with pytest.raises(InputError, match=r"98 .* 0\.01; expected at least 99, better 1000"):
        threshold_at_fpr(np.zeros(98), 0.01)
    with pytest.raises(InputError, match="between 0 and 1"):
        threshold_at_fpr(np.zeros(98), 1.0)


@given(
    st.lists(st.integers(0, 8), min_size=4, max_size=40),
    st.sampled_from([0.2, 0.25, 0.3, 0.5, 0.9]),
)
def test_alarm_exactly_where_the_conformal_p_value_is_small_enough(held, fpr):
    held_out = np.array(held, float)
    threshold = threshold_at_fpr(held_out, fpr)
    for score in np.arange(-1, 10, 0.5):
        p = (np.sum(held_out >= score) + 1) / (len(held) + 1)
        assert (score > threshold) == (p <= fpr + 1e-12)


def test_the_mean_false_alarm_rate_is_the_nominal_one():
    generator = np.random.default_rng(0)
    rates = [
        alarm_rate(generator.normal(size=1000), threshold_at_fpr(generator.normal(size=199), 0.05))
        for _ in range(400)
    ]
    # sd of one rate about sqrt(.05 * .95 / 200 + .05 * .95 / 1000) = .017, of the mean .0008
    assert np.mean(rates) == pytest.approx(0.05, abs=0.004)


def test_single_precision_scores_at_the_threshold_raise_no_alarm():
    held_out = np.random.default_rng(1).random(99).astype(np.float32)
    threshold = threshold_at_fpr(held_out, 0.01)
    assert alarm_rate(held_out, threshold) == 0.0
    above = np.nextafter(held_out.max(), np.float32(2), dtype=np.float32)
    assert alarm_rate(np.array([above]), threshold) == 1.0


def test_nan_and_nothing_are_refused():
    with pytest.raises(InputError, match="NaN"):
        threshold_at_fpr(np.array([1.0, np.nan, 2.0]), 0.5)
    with pytest.raises(InputError, match="no scores"):
        alarm_rate(np.ones(0), 0.5)
