import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.training.schedule import Schedule

CLAN = {"start_lr": 1e-6, "lr": 1e-4, "final_lr": 1e-6, "warmup": 0.1}


def test_clan_official_rates():
    schedule = Schedule.of(steps=201, batch=8192, **CLAN)  # 20 warm-up steps, then 180 intervals
    assert schedule.warmup_steps == 20
    assert schedule.lr_at(0) == 1e-6
    assert schedule.lr_at(10) == pytest.approx((1e-6 + 1e-4) / 2)
    assert schedule.lr_at(20) == 1e-4
    assert schedule.lr_at(110) == pytest.approx((1e-6 + 1e-4) / 2)  # half of the cosine
    assert schedule.lr_at(65) == pytest.approx(1e-6 + 99e-6 * (1 + math.sqrt(0.5)) / 2)
    assert schedule.lr_at(200) == 1e-6
    assert schedule.betas == (0.9, 0.999)
    assert schedule.weight_decay == 0


def test_constant_rate():
    schedule = Schedule.of(steps=7, batch=4, lr=1e-3, final_lr=1e-3)
    assert [schedule.lr_at(step) for step in range(7)] == [1e-3] * 7


def test_share_of_steps_is_rounded_and_leaves_one_for_the_cosine():
    assert Schedule.of(steps=100, batch=1, lr=1.0, warmup=0.29).warmup_steps == 29
    assert Schedule.of(steps=10, batch=1, lr=1.0, warmup=0.99).warmup_steps == 9
    assert Schedule.of(steps=1, batch=1, lr=1.0, final_lr=0.5, warmup=0.9).lr_at(0) == 0.5


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0, 0.99),
    lr=st.floats(1e-6, 1),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_starts_peaks_and_ends_exactly(steps, warmup, lr, ends):
    start, final = (lr * end for end in ends)
    schedule = Schedule.of(
        steps=steps, batch=1, lr=lr, warmup=warmup, start_lr=start, final_lr=final
    )
    rates = [schedule.lr_at(step) for step in range(steps)]
    peak = schedule.warmup_steps
    assert rates[-1] == final
    if peak > 0:
        assert rates[0] == start
    if peak < steps - 1:
        assert rates[peak] == lr
    rise, fall = rates[:peak], rates[peak:]
    tiny = 1e-12
    assert all(a <= b + tiny for a, b in itertools.pairwise(rise))
    assert all(a >= b - tiny for a, b in itertools.pairwise(fall))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"warmup": 1.0}, {"lr": 0.0}, {"clip": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Schedule.of(**{"steps": 10, "batch": 2, "lr": 0.1, **wrong})
