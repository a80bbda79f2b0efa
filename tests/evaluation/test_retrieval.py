import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.regression import regression_figures
from contraview.evaluation.retrieval import mean_average_precision, median_rank, recall_at

RIGHT = np.array([[True, False, True], [False, False, True], [False, False, False]])
SIMILARITY = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])


def test_average_precision_by_hand():
    # first query: hits at ranks 1 and 3; second: at rank 3; third has no right item
    expected = ((1 + 2 / 3) / 2 + 1 / 3) / 2
    assert mean_average_precision(RIGHT, SIMILARITY) == pytest.approx(expected)


def test_an_excluded_item_is_no_hit():
    similarity = SIMILARITY.copy()
    similarity[0, 0] = -np.inf
    expected = (1 / 2 + 1 / 3) / 2
    assert mean_average_precision(RIGHT, similarity) == pytest.approx(expected)
    with pytest.raises(InputError, match="no query"):
        mean_average_precision(RIGHT[2:], SIMILARITY[2:])


def test_recall_and_rank():
    assert recall_at(RIGHT, 1) == pytest.approx(1 / 3)
    assert recall_at(RIGHT, 3) == pytest.approx(2 / 3)
    assert median_rank(np.array([1, 9, 2])) == 2
    with pytest.raises(InputError, match="recall at 4"):
        recall_at(RIGHT, 4)


def test_regression_figures_by_hand():
    figures = regression_figures(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    assert figures == {"MAE": 1.0, "RMSE": 1.0, "R2": 0.0}
