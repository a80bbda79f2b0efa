import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.frameworks.one_class.ecod import Ecod


def by_definition(fitted, row):
    n = len(fitted)
    left = -np.log(((fitted <= row).sum(axis=0) + 1) / (n + 1))
    right = -np.log(((fitted >= row).sum(axis=0) + 1) / (n + 1))
    skewed = ((fitted - fitted.mean(axis=0)) ** 3).mean(axis=0) < 0
    sides = np.stack([left, right, np.where(skewed, left, right)])
    return sides.sum(axis=1).max()


def test_by_hand():
    # One column 0, 1, 2, 9 (skewed to the right), n + 1 = 5.
    model = Ecod.fit(np.array([[0.0], [1.0], [2.0], [9.0]]))
    scores = model.score(np.array([[-1.0], [0.0], [1.0], [50.0]]))
    # -1: none below, left -log(1/5). 0: left -log(2/5), right 0. 1: left -log(3/5), right
    # -log(4/5). 50: right -log(1/5).
    expected = [np.log(5), np.log(5 / 2), np.log(5 / 3), np.log(5)]
    assert scores == pytest.approx(expected)


@given(
    st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=20),
    st.lists(st.tuples(*[st.integers(-1, 5)] * 3), min_size=1, max_size=6),
)
def test_scores_are_the_definition(fitted, rows):
    fitted, rows = np.array(fitted, float), np.array(rows, float)
    model = Ecod.fit(fitted)
    assert model.score(rows) == pytest.approx([by_definition(fitted, row) for row in rows])


def test_the_skew_side_can_win():
    # Left tail of a column skewed to the left, right tail of one skewed to the right, in one row.
    fitted = np.stack([[0.0, 8, 9, 10], [9.0, 2, 1, 0]], axis=1)
    score = Ecod.fit(fitted).score(np.array([[-1.0, 10.0]]))
    assert score == pytest.approx([2 * np.log(5)])


def test_a_score_does_not_depend_on_its_batch():
    generator = np.random.default_rng(0)
    model = Ecod.fit(generator.normal(size=(300, 6)))
    rows = generator.normal(size=(50, 6)) * 2
    one_by_one = np.concatenate([model.score(row[None]) for row in rows])
    assert model.score(rows) == pytest.approx(one_by_one, rel=1e-12)


def test_restored_scores_are_the_same():
    rows = np.random.default_rng(0).normal(size=(40, 3))
    model = Ecod.fit(rows)
    assert np.array_equal(Ecod.restore(model.learnt()).score(rows), model.score(rows))


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="1 benign rows"):
        Ecod.fit(np.ones((1, 3)))
    with pytest.raises(InputError, match="rows of 2 columns; expected 3"):
        Ecod.fit(np.ones((4, 3))).score(np.ones((1, 2)))
