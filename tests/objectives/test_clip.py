import numpy as np
import pytest
import torch

from contraview.objectives.clip import clip

G = torch.Generator().manual_seed(0)
ONE = torch.randn(6, 4, generator=G, dtype=torch.float64, requires_grad=True)
OTHER = torch.randn(6, 4, generator=G, dtype=torch.float64)


def by_hand(rows, columns, scale):
    rows, columns = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, columns))
    s = scale * rows @ columns.T
    return np.mean(np.log(np.exp(s).sum(1)) - np.diag(s))


@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_both_directions_by_hand(scale):
    a, b = ONE.detach().numpy(), OTHER.numpy()
    forth, back = by_hand(a, b, scale), by_hand(b, a, scale)
    assert clip(ONE, OTHER, scale=scale).item() == pytest.approx((forth + back) / 2)
    one_way = clip(ONE, OTHER, scale=scale, symmetric=False)
    assert one_way.item() == pytest.approx(forth)
    assert forth != pytest.approx(back)


def test_the_scale_learns():
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(clip(ONE, OTHER, scale=scale), scale)
    step = 1e-5
    with torch.no_grad():
        rise = clip(ONE, OTHER, scale=scale + step) - clip(ONE, OTHER, scale=scale - step)
    assert slope.item() == pytest.approx(rise.item() / (2 * step), rel=1e-5)
