import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.reidentification import reidentification_figures

VECTORS = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
OWNERS = np.array(["a", "a", "b", "b"])


def test_who_lies_together_is_found():
    figures = reidentification_figures(VECTORS, OWNERS)
    assert figures["1-NN accuracy"] == 1
    assert figures["mAP"] == 1
    assert figures["dispersion ratio"] < 0.05


def test_owners_that_mean_nothing_are_not():
    figures = reidentification_figures(VECTORS, np.array(["a", "b", "a", "b"]))
    assert figures["1-NN accuracy"] == 0
    assert figures["mAP"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 3) / 4, abs=0.1)
    assert figures["dispersion ratio"] > 0.9


def test_a_neighbour_of_the_same_session_is_no_proof():
    sessions = np.array([0, 0, 1, 2])
    figures = reidentification_figures(VECTORS, OWNERS, sessions)
    assert figures["1-NN accuracy"] == 1  # of the two that have another session
    with pytest.raises(InputError, match="no owner has items in two sessions"):
        reidentification_figures(VECTORS, OWNERS, np.array([0, 0, 1, 1]))
