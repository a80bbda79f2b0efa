import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from contraview.core.errors import InputError
from contraview.frameworks.one_class.calibration import Calibration


def test_counts_by_hand():
    model = Calibration.fit(np.array([1.0, 2.0, 2.0, 5.0]))  # too few for a tail
    surprise = model.surprise(np.array([0.0, 1.0, 1.5, 2.0, 4.0, 5.0, 99.0]))
    counts = np.array([4, 4, 3, 3, 1, 1, 0])
    assert surprise == pytest.approx(-np.log((counts + 1) / 5))


def test_tail_by_hand():
    model = Calibration.fit(np.arange(100.0))
    # The 90 % point is 89.1; the excesses .9, 1.9, ..., 9.9 have mean 5.4 and variance 82.5 / 9.
    # The moments give a shape of .5 * (1 - 29.16 / 9.167) < .05, so .05; scale 5.4 * .95.
    assert model.start == pytest.approx(89.1)
    assert model.shape == 0.05
    assert model.scale == pytest.approx(5.13)
    assert model.share == pytest.approx(11 / 101)
    expected = np.log(101 / 11) + np.log1p(0.05 * 10.9 / 5.13) / 0.05
    assert model.surprise(np.array([100.0])) == pytest.approx([expected])
    assert model.surprise(np.array([89.0, 0.0])) == pytest.approx([np.log(101 / 12), 0.0], abs=1e-9)


def test_the_shape_of_a_known_tail_is_found():
    scores = genpareto(0.2, scale=3).rvs(200_000, random_state=0)
    model = Calibration.fit(scores)
    # Excesses over u of a Pareto tail are one again: the same shape, scale 3 + .2 u.
    assert model.shape == pytest.approx(0.2, abs=0.02)
    assert model.scale == pytest.approx(3 + 0.2 * model.start, rel=0.03)
    far = np.array([genpareto(0.2, scale=3).isf(1e-6)])
    assert model.surprise(far) == pytest.approx([np.log(1e6)], rel=0.03)


def test_a_very_heavy_tail_is_clipped():
    assert Calibration.fit(genpareto(0.9).rvs(5000, random_state=0)).shape <= 0.5
    burst = np.concatenate([np.zeros(80), np.full(10, 1.0), np.full(10, 3.0)])
    equal = Calibration.fit(burst)  # the ten excesses are equal: no variance to fit
    assert equal.shape == 0.05
    assert np.isfinite(equal.surprise(np.array([1e9]))).all()


def test_fewer_than_ten_excesses_stay_empirical():
    model = Calibration.fit(np.arange(91.0))
    assert model.start == np.inf
    assert model.surprise(np.array([1e6])) == pytest.approx([np.log(92)])
    assert Calibration.fit(np.arange(92.0)).start < np.inf


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=150),
    st.lists(st.floats(-200, 500), min_size=2, max_size=30),
)
def test_surprise_never_falls_and_is_never_negative(calibration, scores):
    model = Calibration.fit(np.array(calibration))
    surprise = model.surprise(np.sort(scores))
    assert (np.diff(surprise) >= -1e-12).all()
    assert (surprise >= 0).all()


def test_the_tail_takes_over_without_a_jump():
    generator = np.random.default_rng(0)
    model = Calibration.fit(generator.normal(size=1000))
    below, above = model.surprise(np.array([model.start, np.nextafter(model.start, 9)]))
    assert above - below == pytest.approx(0.0, abs=1 / 100)


def test_surprise_of_fresh_benign_rows_is_exponential():
    generator = np.random.default_rng(0)
    model = Calibration.fit(generator.exponential(size=5000))
    surprise = model.surprise(generator.exponential(size=50_000))
    assert surprise.mean() == pytest.approx(1.0, abs=0.05)
    for rate in (0.1, 0.01, 0.001):
        assert (surprise > -np.log(rate)).mean() == pytest.approx(rate, rel=0.5)


def test_restored_surprise_is_the_same():
    scores = np.random.default_rng(0).normal(size=200)
    for part in (scores, scores[:20]):
        model = Calibration.fit(part)
        again = Calibration.restore(model.learnt())
        assert np.array_equal(again.surprise(scores * 2), model.surprise(scores * 2))


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="NaN or infinity"):
        Calibration.fit(np.array([1.0, np.inf]))
    with pytest.raises(InputError, match="no benign scores"):
        Calibration.fit(np.ones(0))


def test_a_row_summed_in_another_order_has_the_surprise_it_had():
    scores = np.repeat(np.arange(1.0, 40.0), 20)  # the start of the tail is one of them
    model = Calibration.fit(scores)
    for way in (np.inf, -np.inf):
        other = np.nextafter(scores, way)
        np.testing.assert_allclose(model.surprise(other), model.surprise(scores), atol=1e-12)
    assert (model.surprise(np.array([20.001])) > model.surprise(np.array([20.0]))).all()
