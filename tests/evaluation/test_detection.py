import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.detection import AUROC, detection_figures, tpr_name

BENIGN = np.arange(400.0)
SCAN = np.r_[np.full(10, 1000.0), np.full(10, -1.0)]
FLOOD = np.full(30, 1000.0)
RARE = np.full(3, -1.0)
SCORES = np.r_[BENIGN, SCAN, FLOOD, RARE]
LABELS = np.repeat(["ok", "scan", "flood", "rare"], [400, 20, 30, 3])


def figures(scores=SCORES, labels=LABELS, max_fpr=0.01):
    return detection_figures(scores, labels, labels == "ok", max_fpr)


def test_figures_by_hand():
    found = figures()
    assert found["AUROC, scan"] == 0.5
    assert found["AUROC, flood"] == 1.0
    assert found["AUROC, rare"] == 0.0
    assert found["TPR at FPR 0.01, scan"] == 0.5
    assert found["TPR at FPR 0.01, flood"] == 1.0


def test_rare_classes_have_figures_and_no_part_in_a_mean():
    found = figures()
    assert found[AUROC] == 0.75
    assert found["unsigned AUROC, class mean"] == 0.75
    assert found[tpr_name(0.01)] == 0.75
    assert found["TPR at FPR 0.01, all attacks"] == pytest.approx(40 / 53)


def test_a_score_turned_round_gets_no_credit_but_under_its_own_name():
    found = figures(-SCORES)
    assert found["AUROC, flood"] == 0.0
    assert found["unsigned AUROC, class mean"] == 0.75


def test_threshold_and_realised_rate_come_from_different_benign_rows():
    found = figures(max_fpr=0.05)
    assert 0 < found["realised FPR at 0.05"] < 0.12


def test_what_benign_rows_are_called_does_not_matter():
    renamed = np.where(LABELS == "ok", "attack-like name", LABELS)
    assert detection_figures(SCORES, renamed, LABELS == "ok", 0.01) == figures()


@pytest.mark.parametrize("benign", [np.ones(453, bool), np.zeros(453, bool)])
def test_benign_rows_and_attacks_are_both_needed(benign):
    with pytest.raises(InputError, match="of 453 rows are benign"):
        detection_figures(SCORES, LABELS, benign, 0.01)
