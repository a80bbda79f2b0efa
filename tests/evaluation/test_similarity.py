import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.similarity import cosines, similarity_figures

G = np.random.default_rng(0)


def turned(angles):
    """Pairs of unit vectors, so many radians apart."""
    first = np.tile(np.array([[1.0, 0.0]]), (len(angles), 1))
    return first, np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_the_order_of_angles_is_the_order_of_similarity():
    first, second = turned(np.array([0.1, 0.5, 1.0, 2.0]))
    assert similarity_figures(first, second, np.array([5.0, 4.0, 2.0, 0.0])) == {"Spearman": 1.0}
    swapped = similarity_figures(first, second, np.array([4.0, 5.0, 2.0, 0.0]))
    assert swapped["Spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))  # 1 - 6 Σd² / n(n² - 1)


def test_the_length_of_a_vector_does_not_count():
    first, second = turned(np.array([0.1, 0.5, 1.0]))
    np.testing.assert_allclose(cosines(first * 7, second / 3), cosines(first, second))
    assert cosines(np.zeros((1, 2)), np.ones((1, 2))) == [0.0]


def test_of_a_constant_encoder_it_is_undefined_and_not_zero():
    constant = np.tile(G.normal(size=(1, 8)), (20, 1)).astype(np.float32)
    noise = constant + G.normal(size=(20, 8)).astype(np.float32) * 1e-8
    truth = G.uniform(0, 5, 20)
    assert similarity_figures(constant, constant, truth) == {"Spearman": None}
    assert similarity_figures(constant, noise, truth) == {"Spearman": None}
    other = G.normal(size=(20, 8))
    assert similarity_figures(constant, other, np.ones(20)) == {"Spearman": None}


@pytest.mark.parametrize(
    ("truth", "says"),
    [(np.ones(0), "expected pairs"), (np.array(["a", "b"]), "similarities are not numbers")],
)
def test_what_does_not_fit_is_refused(truth, says):
    with pytest.raises(InputError, match=says):
        similarity_figures(np.ones((len(truth), 4)), np.ones((len(truth), 4)), truth)
