import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as Oracle

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.seeds import stream_seed
from contraview.frameworks.one_class.forest import IsolationForest


def oracle(rows, trees, seed):
    forest = Oracle(n_estimators=trees, random_state=stream_seed(seed, "forest") % 2**32)
    return forest.fit(rows)


@pytest.mark.parametrize("n", [2, 3, 40, 1000])
def test_scores_are_minus_scikit_learns(n):
    generator = np.random.default_rng(n)
    rows = generator.normal(size=(n, 7)).astype(np.float32) ** 3
    queries = np.concatenate([rows, 5 * generator.normal(size=(300, 7)).astype(np.float32)])
    model = IsolationForest.fit(rows, trees=50, seed=3)
    expected = -oracle(rows, 50, 3).score_samples(queries)
    assert model.score(queries) == pytest.approx(expected, abs=1e-9)


def test_values_on_a_threshold_go_where_scikit_learn_sends_them():
    # Whole numbers and halves: cuts are drawn between, queries are put next to them.
    generator = np.random.default_rng(0)
    rows = generator.integers(0, 3, size=(200, 2)).astype(np.float32)
    model = IsolationForest.fit(rows, trees=20)
    cuts = model.threshold[np.isfinite(model.threshold)]
    near = np.concatenate([cuts, np.nextafter(cuts, np.float32(9)), np.nextafter(cuts, -9)])
    queries = np.stack([near, near], axis=1)
    assert queries.dtype == np.float32
    expected = -oracle(rows, 20, 0).score_samples(queries)
    assert model.score(queries) == pytest.approx(expected, abs=1e-9)


def test_a_row_far_out_scores_above_the_middle():
    rows = np.random.default_rng(0).normal(size=(500, 4))
    inside, outside = IsolationForest.fit(rows).score(np.array([[0.0] * 4, [6.0] * 4]))
    assert inside < 0.5 < outside


def test_a_constant_table_isolates_nothing():
    model = IsolationForest.fit(np.ones((50, 2)), trees=5)
    assert model.score(np.array([[1.0, 1.0], [9.0, 9.0]])).tolist() == [0.5, 0.5]


def test_the_seed_decides_and_restored_scores_are_the_same():
    rows = np.random.default_rng(0).normal(size=(100, 4))
    model = IsolationForest.fit(rows, trees=20, seed=1)
    assert np.array_equal(IsolationForest.restore(model.learnt()).score(rows), model.score(rows))
    same, other = (IsolationForest.fit(rows, trees=20, seed=seed) for seed in (1, 2))
    assert np.array_equal(same.score(rows), model.score(rows))
    assert not np.array_equal(other.score(rows), model.score(rows))


def test_a_score_does_not_depend_on_its_batch():
    rows = np.random.default_rng(0).normal(size=(300, 4))
    model = IsolationForest.fit(rows, trees=20)
    one_by_one = np.concatenate([model.score(row[None]) for row in rows])
    assert model.score(rows) == pytest.approx(one_by_one, rel=1e-12)


def test_a_forest_whose_nodes_lead_in_a_circle_is_refused():
    learnt = IsolationForest.fit(np.random.default_rng(0).normal(size=(50, 2)), trees=2).learnt()
    children = learnt.arrays["children"].copy()
    children[2] = 0
    circular = Learnt(arrays={**learnt.arrays, "children": children}, facts=learnt.facts)
    with pytest.raises(InputError, match="leads back up"):
        IsolationForest.restore(circular).score(np.ones((1, 2)))
