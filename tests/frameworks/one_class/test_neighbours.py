import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.frameworks.one_class.neighbours import Neighbours


def test_distance_to_the_k_th_row():
    model = Neighbours.fit(np.array([[0.0], [1.0], [3.0], [10.0], [20.0]]), k=2)
    assert model.score(np.array([[0.0], [9.0], [100.0]])).tolist() == [1.0, 6.0, 90.0]


def test_a_cap_draws_by_the_seed():
    rows = np.arange(100.0)[:, None]
    capped = Neighbours.fit(rows, cap=30, seed=5)
    assert capped.bank.shape == (30, 1)
    assert len(np.unique(capped.bank)) == 30
    assert np.isin(capped.bank, rows).all()
    assert np.array_equal(capped.bank, Neighbours.fit(rows, cap=30, seed=5).bank)
    assert not np.array_equal(capped.bank, Neighbours.fit(rows, cap=30, seed=6).bank)
    assert len(Neighbours.fit(rows, cap=300).bank) == 100
    assert Neighbours.fit(rows[:3], k=5).k == 3


def test_a_score_does_not_depend_on_its_batch():
    generator = np.random.default_rng(0)
    model = Neighbours.fit(generator.normal(size=(400, 13)))
    rows = generator.normal(size=(90, 13))
    one_by_one = np.concatenate([model.score(row[None]) for row in rows])
    assert model.score(rows) == pytest.approx(one_by_one, rel=1e-6)


def test_restored_scores_are_the_same():
    rows = np.random.default_rng(0).normal(size=(40, 3))
    model = Neighbours.fit(rows)
    assert np.array_equal(Neighbours.restore(model.learnt()).score(rows), model.score(rows))


def test_rows_that_do_not_fit_are_refused():
    model = Neighbours.fit(np.ones((4, 3)))
    with pytest.raises(InputError, match="rows of 2 columns; expected 3"):
        model.score(np.ones((1, 2)))
    with pytest.raises(InputError, match="row 1, column 2: nan; expected a finite number"):
        model.score(np.array([[1.0, 1, 1], [1, 1, np.nan]]))
    with pytest.raises(InputError, match="no columns"):
        Neighbours.fit(np.ones((4, 0)))
