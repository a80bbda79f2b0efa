"""The networks give what the scorers give, ties and values outside all that was seen included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.frameworks.one_class.calibration import Calibration
from contraview.frameworks.one_class.centroid import Centroid
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.forest import IsolationForest
from contraview.frameworks.one_class.graphs import (
    CalibrationsGraph,
    CentroidGraph,
    Counts,
    EcodGraph,
    ForestGraph,
    NeighboursGraph,
)
from contraview.frameworks.one_class.neighbours import Neighbours

EXACT = 1e-12


def few_values(rows, columns=4, seed=0):
    """Rows with many ties."""
    return np.random.default_rng(seed).integers(-3, 4, (rows, columns)).astype(np.float32)


def asked_about(rows):
    """The rows, their neighbours on both sides, and what lies far outside."""
    above = np.nextafter(rows, np.float32(np.inf))
    below = np.nextafter(rows, np.float32(-np.inf))
    return np.concatenate([rows, above, below, 1e6 * rows[:5] + 1e6, -1e6 * rows[:5] - 1e6])


def answer(network, rows):
    return network.eval()(torch.from_numpy(rows)).numpy()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=20),
)
def test_counts_are_those_of_a_sorted_search(values, asked):
    ordered = np.sort(np.array([values, np.negative(values)], np.float32), axis=1)
    rows = np.array([asked, asked], np.float32).T
    below, up_to = Counts(ordered)(torch.from_numpy(rows))
    for column, known in enumerate(ordered):
        np.testing.assert_array_equal(below[:, column], np.searchsorted(known, rows[:, column]))
        there = np.searchsorted(known, rows[:, column], side="right")
        np.testing.assert_array_equal(up_to[:, column], there)


@pytest.mark.parametrize("seed", range(3))
def test_tails(seed):
    rows = few_values(57, seed=seed)
    ecod = Ecod.fit(rows)
    asked = asked_about(rows)
    np.testing.assert_allclose(answer(EcodGraph(ecod), asked), ecod.score(asked), atol=EXACT)


@pytest.mark.parametrize("rows", [2, 40, 600])
def test_forest(rows):
    table = few_values(rows)
    forest = IsolationForest.fit(table, trees=12)
    asked = asked_about(table)
    assert forest.paths[0] > 0
    np.testing.assert_allclose(answer(ForestGraph(forest), asked), forest.score(asked), atol=EXACT)
    cuts = np.tile(forest.threshold[np.isfinite(forest.threshold)][:50, None], (1, 4))
    np.testing.assert_allclose(answer(ForestGraph(forest), cuts), forest.score(cuts), atol=EXACT)


@pytest.mark.parametrize("k", [1, 3, 60])
def test_bank(k):
    rows = np.concatenate([few_values(40), np.random.default_rng(1).normal(size=(20, 4))])
    neighbours = Neighbours.fit(rows, k=k)
    asked = asked_about(rows.astype(np.float32))
    expected = neighbours.score(asked)
    found = answer(NeighboursGraph(neighbours), asked)
    # A neighbour in the last digit is as far as rounding: at 0 for the one, near 0 for the other.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-6)
    np.testing.assert_array_equal(found[: len(rows)], expected[: len(rows)])
    assert k > 1 or (expected[: len(rows)] == 0).all()


def test_centre():
    rows = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    rows[3] = 0
    centroid = Centroid.fit(rows + 1)
    np.testing.assert_allclose(
        answer(CentroidGraph(centroid), rows), centroid.score(rows), atol=EXACT
    )


@pytest.mark.parametrize("rows", [1, 5, 200])
def test_calibrations(rows):
    draw = np.random.default_rng(0)
    scores = np.stack([draw.integers(0, 6, rows).astype(float), draw.pareto(2, rows)], 1)
    each = [Calibration.fit(column) for column in scores.T]
    starts = [c.start for c in each if np.isfinite(c.start)]
    asked = np.concatenate([scores.ravel(), starts, draw.normal(0, 9, 50), [1e9, -1e9]])
    asked = np.concatenate([asked, np.nextafter(asked, np.inf), np.nextafter(asked, -np.inf)])
    found = answer(CalibrationsGraph(each), np.stack([asked, asked], 1))
    for column, calibration in enumerate(each):
        np.testing.assert_allclose(found[:, column], calibration.surprise(asked), atol=EXACT)
    assert (rows < 200) == (not starts)
