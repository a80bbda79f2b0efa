import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.frameworks.one_class.centroid import Centroid


def test_the_mean_is_of_embeddings_as_they_are():
    # Means: as they are (2, .5); of unit vectors (.5, .5).
    centroid = Centroid.fit(np.array([[4.0, 0.0], [0.0, 1.0]]))
    assert centroid.mean.tolist() == [2.0, 0.5]
    scores = centroid.score(np.array([[2.0, 0.5], [-4.0, -1.0], [-1.0, 4.0], [0.0, 0.0]]))
    assert scores == pytest.approx([-1.0, 1.0, 0.0, 0.0])


def test_the_length_of_an_embedding_does_not_change_its_score():
    rows = np.random.default_rng(0).normal(1, 1, size=(20, 5))
    centroid = Centroid.fit(rows)
    assert centroid.score(rows * 37) == pytest.approx(centroid.score(rows))


def test_kappa_by_hand_and_tighter_is_larger():
    # Unit vectors (1, 0) and (0, 1): R^2 = .5, kappa = sqrt(.5) * (2 - .5) / .5.
    assert Centroid.fit(np.eye(2)).kappa == pytest.approx(3 * np.sqrt(0.5))
    assert Centroid.fit(np.ones((3, 4))).kappa == float("inf")
    noise = np.random.default_rng(0).normal(size=(500, 8))
    kappas = [Centroid.fit(np.eye(8)[0] + spread * noise).kappa for spread in (0.1, 0.3, 1.0)]
    assert kappas == sorted(kappas, reverse=True)


def test_single_precision_embeddings_are_scored_in_double():
    generator = np.random.default_rng(0)
    tight = (np.ones(64) + 1e-4 * generator.normal(size=(50, 64))).astype(np.float32)
    centroid = Centroid.fit(tight)
    assert len(np.unique(centroid.score(tight))) == 50


def test_restored_scores_are_the_same():
    rows = np.random.default_rng(0).normal(1, 1, size=(20, 5))
    centroid = Centroid.fit(rows)
    again = Centroid.restore(centroid.learnt())
    assert np.array_equal(again.score(rows), centroid.score(rows))
    assert again.kappa == centroid.kappa


def test_embeddings_without_a_direction_are_refused():
    with pytest.raises(InputError, match="cancel out"):
        Centroid.fit(np.array([[1.0, 2.0], [-1.0, -2.0]]))
