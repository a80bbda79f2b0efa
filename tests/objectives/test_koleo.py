import math
import sys

import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives import koleo

ANGLES = torch.tensor([0.0, 0.5, 2.0])
POINTS = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def chord(angle):
    return 2 * math.sin(angle / 2)


def test_three_points_on_a_circle_by_hand():
    expected = -(2 * math.log(chord(0.5)) + math.log(chord(1.5))) / 3
    assert koleo(3 * POINTS, epsilon=1e-6).item() == pytest.approx(expected, abs=1e-5)


def test_a_row_is_not_its_own_neighbour():
    apart = torch.eye(3)
    assert koleo(apart, epsilon=1e-6).item() == pytest.approx(-math.log(math.sqrt(2)), abs=1e-6)


def test_two_that_crowd_are_pushed_apart():
    rows = POINTS.clone().requires_grad_()
    koleo(rows).backward()
    moved = rows.detach() - 0.01 * rows.grad
    assert (moved[0] - moved[1]).norm() > (POINTS[0] - POINTS[1]).norm()


@pytest.mark.parametrize("distance", [0.0, 1e-8, 1e-5, 1e-3, 1e-2])
def test_near_duplicates_do_not_blow_the_gradient_up(distance):
    rows = torch.cat([POINTS, POINTS[:1] + torch.tensor([0.0, distance])]).requires_grad_()
    loss = koleo(rows, epsilon=1e-3)
    loss.backward()
    assert loss.isfinite()
    assert rows.grad.norm(dim=1).max() <= 2 / (2 * 1e-3)


def test_tiles_agree_with_all_distances_at_once(monkeypatch):
    rows = torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
    unit = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    distances = np.linalg.norm(unit[:, None] - unit, axis=2)
    np.fill_diagonal(distances, np.inf)
    monkeypatch.setattr(sys.modules["contraview.objectives.koleo"], "TILE", 7)
    expected = -np.log(distances.min(1)).mean()
    assert koleo(rows, epsilon=1e-6).item() == pytest.approx(expected, abs=1e-5)


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="1 rows: expected at least two"):
        koleo(torch.ones(1, 3))
    with pytest.raises(InputError, match="expected a number above 0"):
        koleo(POINTS, epsilon=0.0)
