import numpy as np

from contraview.apps.detection.living.move import Move
from contraview.apps.detection.living.reserve import Reserve
from contraview.apps.detection.rules import Rules
from contraview.frameworks.one_class.centroid import Centroid
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.neighbours import Neighbours

NONE = np.empty((0, 1), np.float32)


def move(rows, counts, **knobs):
    rows = np.array(rows, np.float32).reshape(len(rows), -1) if len(rows) else NONE
    return Move(rows, np.array(counts, float), np.ones(len(rows), bool), **knobs)


def test_the_centre_is_the_mean_with_each_row_counted_so_often():
    centre = Centroid(np.array([1.0, 0.0]), 3.0)
    moved = move([[0], [0]], [2, 4]).centroid(centre, 6, np.array([[0.0, 3.0], [3.0, 0.0]]))
    np.testing.assert_allclose(moved.mean, [(6 + 12) / 12, 6 / 12])
    assert move([], []).centroid(centre, 6, np.empty((0, 2))) is centre


def test_tails_with_more_rows_are_those_fitted_on_all_of_them():
    generator = np.random.default_rng(0)
    first = generator.normal(size=(50, 3)).astype(np.float32)
    more = generator.exponential(size=(5, 3)).astype(np.float32) - 4
    merged = move(more, [1, 2, 1, 0.2, 1]).view(Ecod.fit(first), more)
    whole = Ecod.fit(np.concatenate([first, more, more[1:2]]))
    np.testing.assert_allclose(merged.score(first), whole.score(first))
    np.testing.assert_array_equal(merged.left_skewed, whole.left_skewed)


def test_one_row_that_counts_much_is_a_neighbourhood_of_its_own():
    bank = Neighbours.fit(np.zeros((9, 2), np.float32), k=3)
    far = np.array([[5, 0]], np.float32)
    assert bank.score(far)[0] == 5
    assert move(far, [20]).view(bank, far).score(far)[0] == 0
    assert move(far, [20]).view(bank, far).bank.shape == (12, 2)
    assert move(far, [1]).view(bank, far).score(far)[0] == 5


def test_what_is_allowed_is_no_rule_any_more():
    rules = Rules({"urg": 0.0, "ece": 0.0}, {"service": ("dns",)}, 0.01)
    allowed = move([], [], allowed_values={"urg": [], "service": ["mqtt"]}).allowed(rules)
    assert allowed == Rules({"ece": 0.0}, {"service": ("dns", "mqtt")}, 0.01)


def test_a_move_comes_back_as_it_was():
    first = move([[1.0, 2.0]], [20.0], allowed_values={"urg": []})
    again = Move.restore(first.learnt())
    np.testing.assert_array_equal(again.rows, first.rows)
    assert (again.counts, again.taught, again.allowed_values) == ([20.0], [True], {"urg": []})


def test_the_reserve_is_a_uniform_sample_in_order():
    reserve = Reserve(most=100)
    for start in range(0, 1000, 250):
        reserve.add(np.arange(start, start + 250, dtype=np.float32)[:, None])
    kept = reserve.rows[:, 0]
    assert len(kept) == 100
    assert (np.diff(kept) > 0).all()
    quarters = np.histogram(kept, [0, 250, 500, 750, 1000])[0]
    assert quarters.min() >= 12, quarters
