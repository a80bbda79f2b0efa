import numpy as np
import pytest
from scipy.linalg import sqrtm

from contraview.core.errors import InputError
from contraview.evaluation.generation import found_again, frechet_distance


def rows(seed, n=400, d=3, shift=0.0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)) @ generator.normal(size=(d, d)) + shift


def test_frechet_distance_is_that_of_the_formula():
    one, other = rows(0), rows(1, shift=0.5)
    s, t = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    expected = np.sum((one.mean(0) - other.mean(0)) ** 2)
    expected += np.trace(s + t - 2 * np.real(sqrtm(s @ t)))
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)


def test_the_same_rows_are_at_no_distance_and_a_shift_counts_squared():
    one = rows(0)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, one + 2) == pytest.approx(3 * 4)


def test_fewer_rows_than_dimensions_will_do():
    assert np.isfinite(frechet_distance(rows(0, n=4, d=10), rows(1, n=5, d=10)))
    with pytest.raises(InputError, match="1 and 400 items"):
        frechet_distance(rows(0)[:1], rows(0))


def test_references_are_found_in_their_own_group():
    references = np.eye(6)
    made = references[[0, 0, 2, 5, 4]] + 0.01
    owners = np.array([0, 1, 2, 3, 4])
    # groups of three: 0 right, 1 taken for 0, 2 right; 3 taken for 5, 4 right
    assert found_again(made, references, owners, 3) == pytest.approx(3 / 5)
    # five at a time: the sixth reference is left out, so 3 is taken for the first of its group
    assert found_again(made, references, owners, 5) == pytest.approx(3 / 5)


def test_by_chance_one_in_so_many_is_found():
    generator = np.random.default_rng(0)
    references = generator.normal(size=(64, 8))
    made, owners = generator.normal(size=(6400, 8)), np.arange(6400) % 64
    assert found_again(made, references, owners, 32) == pytest.approx(1 / 32, abs=0.01)
    with pytest.raises(InputError, match="64 references; expected at least 65"):
        found_again(made, references, owners, 65)
