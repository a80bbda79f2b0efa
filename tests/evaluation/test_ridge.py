import numpy as np
import pytest
from sklearn.linear_model import Ridge

from contraview.core.errors import InputError
from contraview.evaluation import ridge
from contraview.evaluation.ridge import RidgeMap


def rows(noise=0.1):
    g = np.random.default_rng(0)
    x = g.normal(size=(200, 5))
    return x, x @ g.normal(size=(5, 3)) + 2 + noise * g.normal(size=(200, 3))


def test_it_is_ridge_regression_with_one_of_the_penalties():
    x, y = rows()
    found = RidgeMap.fit(x, y)
    gaps = [
        np.abs(Ridge(alpha=penalty).fit(x, y).predict(x) - found.predict(x)).max()
        for penalty in ridge.PENALTIES
    ]
    assert min(gaps) < 1e-8


def test_the_penalty_is_chosen_on_the_last_rows():
    x, y = rows(noise=0.0)
    np.testing.assert_allclose(RidgeMap.fit(x, y).predict(x), y, atol=0.02)
    y[160:] = y[:160].mean(0)  # what was learnt early does not hold later: shrink
    assert np.abs(RidgeMap.fit(x, y).weights).max() < 0.1


def test_saved_and_restored_it_says_the_same():
    x, y = rows()
    found = RidgeMap.fit(x, y)
    np.testing.assert_array_equal(RidgeMap.restore(found.learnt()).predict(x), found.predict(x))
    with pytest.raises(InputError, match="10 at least"):
        RidgeMap.fit(x[:5], y[:5])
