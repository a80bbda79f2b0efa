import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from contraview.core.errors import InputError
from contraview.evaluation.multi_label import (
    MultiLabelProbe,
    average_precisions,
    multi_hot,
    multi_label_map,
)

G = np.random.default_rng(0)


def test_labels_of_several_classes_become_columns():
    hot, classes = multi_hot(["water;forest", "", " forest ", "town;water;water"])
    assert classes == ("forest", "town", "water")
    assert hot.astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 1]]
    with pytest.raises(InputError, match="class 'sea'; expected some of water, forest"):
        multi_hot(["sea"], ("water", "forest"))
    with pytest.raises(InputError, match="1 class"):
        multi_hot(["water", "water"])


def test_average_precision_is_that_of_scikit_learn_also_with_ties():
    truth = G.random((200, 4)) < 0.3
    truth[:, 3] = False
    for scores in (G.random((200, 4)), G.integers(0, 6, (200, 4)).astype(float)):
        found = average_precisions(truth, scores)
        expected = [average_precision_score(truth[:, k], scores[:, k]) for k in range(3)]
        np.testing.assert_allclose(found[:3], expected)
        assert np.isnan(found[3])
        assert multi_label_map(truth, scores) == pytest.approx(np.mean(expected))


def test_average_precision_by_hand():
    truth, scores = np.array([[1], [0], [1]], bool), np.array([[0.9], [0.8], [0.7]])
    assert average_precisions(truth, scores)[0] == pytest.approx((1 + 2 / 3) / 2)
    with pytest.raises(InputError, match="no item has a class"):
        multi_label_map(np.zeros((3, 2), bool), np.zeros((3, 2)))


def test_a_probe_gives_each_class_a_probability_of_its_own():
    vectors = G.normal(size=(300, 2))
    names = [
        ";".join(n for n, yes in (("right", x > 0), ("up", y > 0), ("all", True)) if yes)
        for x, y in vectors
    ]
    names[0] = ""
    probe = MultiLabelProbe.fit(vectors, names, c=100.0)
    assert probe.classes == ("all", "right", "up")
    found = probe.classify(np.array([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0]]))
    assert (found[:, 0] > 0.99).all()
    assert (found[:, 1:] > 0.5).tolist() == [[True, True], [False, True], [False, False]]
    same = MultiLabelProbe.restore(probe.learnt())
    np.testing.assert_array_equal(same.classify(vectors), probe.classify(vectors))
    with pytest.raises(InputError, match="299 labels for 300"):
        MultiLabelProbe.fit(vectors, names[1:])
