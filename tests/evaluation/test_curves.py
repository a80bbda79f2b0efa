import numpy as np
import pytest

from contraview.evaluation.anomaly import auroc
from contraview.evaluation.curves import precision_recall_curve, roc_curve


def test_roc_by_hand():
    fpr, tpr = roc_curve(np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    assert list(zip(fpr, tpr, strict=True)) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]


def test_precision_recall_by_hand():
    recall, precision = precision_recall_curve(np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    points = list(zip(recall, precision, strict=True))
    assert points == [(0, 1), (0.5, 1), (0.5, 0.5), (1, pytest.approx(2 / 3)), (1, 0.5)]


def test_a_thinned_curve_keeps_its_ends_and_its_area():
    generator = np.random.default_rng(0)
    benign, attacks = generator.normal(size=4000), generator.normal(2, 1, size=3000)
    fpr, tpr = roc_curve(benign, attacks, points=100)
    assert 80 <= len(fpr) <= 100
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auroc(benign, attacks), abs=0.005)
    recall, precision = precision_recall_curve(benign, attacks, points=100)
    assert len(recall) <= 100
    assert (recall[0], precision[0], recall[-1]) == (0, 1, 1)
    assert (np.diff(recall) >= 0).all()
