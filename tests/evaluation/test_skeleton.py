import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from contraview.evaluation.skeleton import skeleton

EIGHT = np.ones((3, 3))


def test_a_bar_becomes_its_middle_line():
    bar = np.zeros((11, 30), bool)
    bar[3:8, 3:27] = True
    rows, columns = np.nonzero(skeleton(bar))
    assert set(rows) == {5}
    assert len(columns) >= 18


def test_a_line_stays_and_nothing_stays_nothing():
    line = np.eye(9, dtype=bool)
    assert (skeleton(line) == line).all()
    assert not skeleton(np.zeros((4, 4), bool)).any()


def test_a_ring_stays_a_ring():
    y, x = np.mgrid[-15:16, -15:16]
    ring = (np.hypot(y, x) < 12) & (np.hypot(y, x) > 7)
    thin = skeleton(ring)
    assert label(~thin)[1] == 2  # inside and outside stay apart
    radii = np.hypot(*np.nonzero(thin) - np.array([[15], [15]]))
    assert (radii > 8).all()
    assert (radii < 11).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_it_lies_inside_and_no_part_splits(seed, radius):
    generator = np.random.default_rng(seed)
    region = np.zeros((24, 24), bool)
    for y, x in generator.integers(3, 21, size=(6, 2)):
        region[y - radius : y + radius + 1, x - radius : x + radius + 1] = True
    thin = skeleton(region)
    assert not (thin & ~region).any()
    assert label(thin, EIGHT)[1] <= label(region, EIGHT)[1]
    assert (skeleton(thin) == thin).all()
