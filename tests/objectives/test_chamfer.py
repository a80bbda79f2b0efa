import pytest
import torch

from contraview.core.seeds import torch_generator
from contraview.objectives.chamfer import chamfer


def test_a_sum_by_hand():
    one = torch.tensor([[[0.0, 0, 0], [3, 0, 0]]])
    other = torch.tensor([[[0.0, 0, 1], [0, 2, 0], [3, 0, 0]]])
    # from one: 1 and 0, mean 1/2; from the other: 1, 4 and 0, mean 5/3
    assert chamfer(one, other).item() == pytest.approx(1 / 2 + 5 / 3)
    assert chamfer(other, one).item() == pytest.approx(1 / 2 + 5 / 3)


def test_it_is_zero_for_the_same_points_in_any_order_and_a_mean_over_pairs():
    points = torch.randn(4, 9, 3, generator=torch_generator(0, "points"))
    assert chamfer(points, points.flip(1)).item() == pytest.approx(0, abs=1e-12)
    moved = points + torch.tensor([0.0, 0, 1e-3])
    each = torch.stack([chamfer(a[None], b[None]) for a, b in zip(points, moved, strict=True)])
    assert chamfer(points, moved).item() == pytest.approx(each.mean().item(), rel=1e-5)
