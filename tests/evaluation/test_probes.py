import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.evaluation.probes import LinearProbe, RidgeProbe, knn_predict, tuned_svm

G = numpy_generator(0, "probes")
NAMES = np.repeat(["a", "b", "c"], 30)
VECTORS = (G.normal(0, 0.3, (90, 5)) + np.repeat(3 * np.eye(3, 5), 30, axis=0)).astype(np.float32)


@pytest.mark.parametrize("kind", ["logistic", "svm"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_probe_predicts_as_scikit_learn_does(kind, classes):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    rows, names = VECTORS[: 30 * classes], NAMES[: 30 * classes]
    probe = LinearProbe.fit(rows, names, kind=kind)
    scaled = StandardScaler().fit_transform(rows.astype(np.float64))
    model = LogisticRegression(max_iter=2000) if kind == "logistic" else LinearSVC(random_state=0)
    model.fit(scaled, names)
    assert (probe.predict(rows) == model.predict(scaled)).all()
    if kind == "logistic":
        np.testing.assert_allclose(probe.classify(rows), model.predict_proba(scaled), atol=1e-6)
    again = LinearProbe.restore(probe.learnt())
    np.testing.assert_array_equal(again.margins(rows), probe.margins(rows))


def test_a_probe_leaves_out_rows_without_a_label_and_needs_two_classes():
    names = NAMES.copy()
    names[::2] = ""
    assert LinearProbe.fit(VECTORS, names).classes == ("a", "b", "c")
    with pytest.raises(InputError, match="1 class among the labels"):
        LinearProbe.fit(VECTORS[:30], NAMES[:30])
    with pytest.raises(InputError, match="3 labels for 90 items"):
        LinearProbe.fit(VECTORS, NAMES[:3])


def test_a_ridge_probe_finds_a_line_and_skips_missing_values():
    values = VECTORS.astype(np.float64) @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + 7
    told = values.copy()
    told[::3] = np.nan
    probe = RidgeProbe.restore(RidgeProbe.fit(VECTORS, told).learnt())
    np.testing.assert_allclose(probe.regress(VECTORS), values, atol=0.01)
    with pytest.raises(InputError, match="0 known values"):
        RidgeProbe.fit(VECTORS, np.full(90, np.nan))


def test_nearest_neighbours_vote_and_the_nearest_breaks_a_tie():
    bank = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    labels = np.array(["x", "x", "y", "y"])
    queries = np.array([[1, 0.05], [0.05, 1]], np.float32)
    assert knn_predict(bank, labels, queries, k=2).tolist() == ["x", "y"]
    assert knn_predict(bank, labels, queries, k=4).tolist() == ["x", "y"]


def test_a_tuned_svm_takes_the_c_that_names_unseen_groups_best():
    from sklearn.model_selection import GroupKFold

    groups = np.arange(90) % 6
    noisy = VECTORS + G.normal(0, 2.5, VECTORS.shape).astype(np.float32)
    right = {}
    for c in (1e-5, 1e-3, 1.0):
        named = [
            LinearProbe.fit(noisy[a], NAMES[a], kind="svm", c=c).predict(noisy[b]) == NAMES[b]
            for a, b in GroupKFold(3).split(noisy, groups=groups)
        ]
        right[c] = np.concatenate(named).sum()
    assert len(set(right.values())) > 1
    best = max(right, key=lambda c: (right[c], -c))
    probe = tuned_svm(noisy, NAMES, groups, among=(1.0, 1e-3, 1e-5))
    plain = LinearProbe.fit(noisy, NAMES, kind="svm", c=best)
    np.testing.assert_array_equal(probe.weights, plain.weights)
