import numpy as np
import pytest

from contraview.apps.report.judgement import judge
from contraview.core.errors import InputError
from contraview.evaluation import anomaly, intervals


def drawn():
    rng = np.random.default_rng(0)
    labels = np.array(["benign"] * 200 + ["scan"] * 30 + ["flood"] * 50 + [""] * 20)
    scores = rng.normal(size=300) + np.where(labels == "scan", 3, 0) + np.where(labels == "", 99, 0)
    return scores, labels


def test_every_figure_is_that_of_evaluation():
    scores, labels = drawn()
    alerts = scores > 1.5
    found = judge(scores, alerts, labels)
    assert [kind.name for kind in found.kinds] == ["flood", "scan"]  # the most flows first
    quiet = scores[labels == "benign"]
    for kind in found.kinds:
        attacks = scores[labels == kind.name]
        assert kind.auroc.value == anomaly.auroc(quiet, attacks)
        assert kind.precision.value == anomaly.average_precision(quiet, attacks)
        assert kind.detected.value == (attacks > 1.5).mean()
        assert (kind.detected.low, kind.detected.high) == intervals.binomial_interval(
            int((attacks > 1.5).sum()), len(attacks)
        )
        assert kind.auroc.low < kind.auroc.value < kind.auroc.high
        assert kind.precision.low < kind.precision.value < kind.precision.high
    assert found.false_alarms.count == (quiet > 1.5).sum()
    assert found.false_alarms.rows == 200


def test_rows_without_a_label_count_nowhere():
    scores, labels = drawn()
    alerts = scores > 1.5
    known = labels != ""
    found = judge(scores, alerts, labels)
    assert found.precision == judge(scores[known], alerts[known], labels[known]).precision
    assert found.precision.count == (alerts & known & (labels != "benign")).sum()


def test_alerts_by_rule_count_as_found():
    scores, labels = drawn()
    found = judge(scores, labels == "flood", labels)
    assert {kind.name: kind.detected.value for kind in found.kinds} == {"flood": 1.0, "scan": 0.0}


def test_nothing_to_judge_is_said():
    with pytest.raises(InputError, match="expected rows called 'benign'"):
        judge(np.zeros(3), np.zeros(3, bool), np.array(["scan"] * 3))


def test_the_same_rows_give_the_same_intervals():
    scores, labels = drawn()
    first, second = (judge(scores, scores > 1.5, labels) for _ in range(2))
    assert [kind.auroc for kind in first.kinds] == [kind.auroc for kind in second.kinds]
