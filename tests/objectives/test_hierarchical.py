import math

import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives.hierarchical import (
    hierarchical,
    instance_contrast,
    temporal_contrast,
)


def views(n=3, t=5, d=4):
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, t, d, generator=g), torch.randn(n, t, d, generator=g)


def by_hand(queries):
    """NT-Xent without temperature of rows whose partner lies half the rows further."""
    size = len(queries)
    total = 0.0
    for i in range(size):
        partner = (i + size // 2) % size
        others = [j for j in range(size) if j != i]
        products = {j: float(queries[i] @ queries[j]) for j in others}
        total += math.log(sum(map(math.exp, products.values()))) - products[partner]
    return total / size


def test_instance_contrast_by_hand():
    one, other = views()
    expected = sum(by_hand(torch.cat([one[:, t], other[:, t]])) for t in range(5)) / 5
    assert instance_contrast(one, other).item() == pytest.approx(expected, rel=1e-5)


def test_temporal_contrast_by_hand():
    one, other = views()
    expected = sum(by_hand(torch.cat([one[i], other[i]])) for i in range(3)) / 3
    assert temporal_contrast(one, other).item() == pytest.approx(expected, rel=1e-5)


def test_scales_by_hand():
    one, other = views(t=2)
    top = one.amax(1, keepdim=True), other.amax(1, keepdim=True)
    fine = 0.3 * instance_contrast(one, other) + 0.7 * temporal_contrast(one, other)
    expected = (fine + 0.3 * instance_contrast(*top)) / 2
    torch.testing.assert_close(hierarchical(one, other, 0.3), expected)


def test_alpha_one_is_other_windows_alone_and_zero_other_times_alone():
    one, other = views(t=1)
    assert hierarchical(one, other, 0.0) == 0
    torch.testing.assert_close(hierarchical(one, other, 1.0), instance_contrast(one, other))
    one, other = views(n=1, t=2)
    # a single window has no other windows: the instance term is the log of 1
    assert hierarchical(one, other, 1.0).item() == pytest.approx(0, abs=1e-6)
    assert hierarchical(one, other, 0.0) > 0


def test_views_that_agree_cost_less_than_views_that_do_not():
    one, other = views()
    assert hierarchical(3 * one, 3 * one) < hierarchical(3 * one, 3 * other)


def test_wrong_input_is_refused():
    one, other = views()
    with pytest.raises(InputError, match="expected the same"):
        hierarchical(one, other[:, :2])
    with pytest.raises(InputError, match="expected 0 to 1"):
        hierarchical(one, other, 2.0)
