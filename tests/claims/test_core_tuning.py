import numpy as np
import pytest

from contraview.claims.core_tuning import scatter_ratio


def test_the_scatter_ratio_by_hand():
    vectors = np.array([[0.0, 0], [2, 0], [10, 0], [10, 4]])
    labels = np.array(["a", "a", "b", "b"])
    # class means (1, 0) and (10, 2), the mean of all (5.5, 1)
    within, between = 1 + 1 + 4 + 4, 4 * (4.5**2 + 1)
    assert scatter_ratio(vectors, labels) == pytest.approx(within / between)
    assert scatter_ratio(7 * vectors + 3, labels) == pytest.approx(within / between)
