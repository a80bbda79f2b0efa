import math

import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives import density_ratio


def test_by_hand():
    real, drawn = torch.tensor([2.0, 1.0]), torch.tensor([[0.5, 3.0], [1.0, 1.0]])
    first = math.log(1 + 1 / 2) + (math.log(1.5) + math.log(4)) / 2
    second = math.log(2) + math.log(2)
    expected = (first + second) / 2 / 2
    assert float(density_ratio(real, drawn)) == pytest.approx(expected, rel=1e-6)


def test_its_minimum_is_the_ratio_of_the_densities():
    """Three outcomes with known chances against even draws: gradient descent finds P / P_base."""
    chances = torch.tensor([0.6, 0.3, 0.1])
    log_ratio = torch.zeros(3, requires_grad=True)
    real = torch.repeat_interleave(torch.arange(3), torch.tensor([60, 30, 10]))
    for _ in range(400):
        ratio = log_ratio.exp()
        loss = density_ratio(ratio[real], ratio.expand(100, 3))
        (slope,) = torch.autograd.grad(loss, log_ratio)
        log_ratio.data -= 5 * slope
    torch.testing.assert_close(log_ratio.exp().detach(), chances * 3, rtol=1e-3, atol=1e-3)


def test_what_is_not_positive_is_refused():
    with pytest.raises(InputError, match="not above zero"):
        density_ratio(torch.ones(2), torch.zeros(2, 1))
    with pytest.raises(InputError, match="no products"):
        density_ratio(torch.ones(0), torch.ones(0, 1))
