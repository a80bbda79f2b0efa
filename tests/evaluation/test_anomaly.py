import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from contraview.core.errors import InputError
from contraview.evaluation import anomaly

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=30).map(lambda v: np.array(v, float))


def test_auroc_by_hand():
    benign = np.array([0.0, 1.0, 2.0])
    # 1.5 beats two of three; 2.0 beats two and ties one.
    assert anomaly.auroc(benign, np.array([1.5])) == pytest.approx(2 / 3)
    assert anomaly.auroc(benign, np.array([2.0])) == pytest.approx(2.5 / 3)
    assert anomaly.auroc(benign, np.array([1.5, 2.0])) == pytest.approx(4.5 / 6)


@given(scores, scores)
def test_auroc_is_scikit_learns(benign, attacks):
    truth = np.repeat([0, 1], [len(benign), len(attacks)])
    both = np.concatenate([benign, attacks])
    assert anomaly.auroc(benign, attacks) == pytest.approx(roc_auc_score(truth, both))
    expected = average_precision_score(truth, both)
    assert anomaly.average_precision(benign, attacks) == pytest.approx(expected)


@given(scores, scores)
def test_turning_the_score_around_turns_the_area_around(benign, attacks):
    area = anomaly.auroc(benign, attacks)
    assert anomaly.auroc(-benign, -attacks) == pytest.approx(1 - area)
    assert anomaly.unsigned_auroc(benign, attacks) == pytest.approx(max(area, 1 - area))


def test_a_class_ranked_as_more_normal_gets_less_than_half():
    values = np.array([5.0, 6.0, 7.0, 0.0, 1.0, 9.0])
    labels = np.array(["ok", "ok", "ok", "quiet", "quiet", "loud"])
    figures = anomaly.per_class_auroc(values, labels, benign="ok")
    assert figures == {"loud": 1.0, "quiet": 0.0}
    assert anomaly.class_mean_auroc(values, labels, benign="ok") == 0.5


def test_the_class_mean_is_unweighted():
    values = np.array([1.0, 2.0] + [3.0] * 98 + [0.0])
    labels = np.array([0, 0] + [1] * 98 + [2])
    assert anomaly.class_mean_auroc(values, labels, benign=0) == 0.5


def test_labels_without_benign_or_without_attack_are_refused():
    with pytest.raises(InputError, match="labels: dos; expected 'benign'"):
        anomaly.per_class_auroc(np.ones(2), np.array(["dos", "dos"]), benign="benign")
    with pytest.raises(InputError, match="at least one attack class"):
        anomaly.per_class_auroc(np.ones(2), np.array(["ok", "ok"]), benign="ok")


def test_nan_and_empty_scores_are_refused():
    with pytest.raises(InputError, match="attack scores hold NaN"):
        anomaly.auroc(np.ones(2), np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="no benign scores"):
        anomaly.auroc(np.ones(0), np.ones(2))


def test_alarm_rate_of_each_class():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    labels = np.array(["a", "ok", "a", "ok"])
    assert anomaly.per_class_alarm_rate(values, labels, 2.0) == {"a": 0.5, "ok": 0.5}
    assert anomaly.per_class_alarm_rate(values, labels, 3.0) == {"a": 0.0, "ok": 0.5}
