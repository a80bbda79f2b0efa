import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.objectives import info_nce, neighbourhood

# Four unit rows in the plane; cosines are 0, 1, -1 by eye.
ROWS = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [-1.0, 0.0]])
WEIGHTS = torch.tensor(
    [[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]
)


def test_by_hand_on_four_nodes_with_tau_multiplying_and_the_diagonal_at_exp_zero():
    tau = 0.5
    e, i = math.exp(tau), math.exp(-tau)
    # row: cosines to the others, own similarity counts as exp(0) = 1
    shares = [
        (0.5 * 1 + 0.5 * e) / (1 + 1 + e + i),  # row 0: to 1: 0, to 2: 1, to 3: -1
        1 / (1 + 1 + 1 + 1),  # row 1 is orthogonal to all
        e / (e + 1 + 1 + i),  # row 2 as row 0
        0.25 * (i + 1 + i + 1) / (i + 1 + i + 1),
    ]
    expected = -sum(math.log(share + 1e-8) for share in shares) / 4
    assert float(neighbourhood(ROWS, WEIGHTS, tau)) == pytest.approx(expected, rel=1e-6)
    divided = float(neighbourhood(ROWS, WEIGHTS, 1 / tau))
    assert divided != pytest.approx(expected, rel=1e-2)


def plain(z, weights, tau):
    """The formula, with the n x n matrix."""
    unit = torch.nn.functional.normalize(z, dim=1)
    similar = (unit @ unit.T).fill_diagonal_(0)
    similar = torch.exp(tau * similar)
    return -((weights * similar).sum(1) / similar.sum(1) + 1e-8).log().mean()


@given(st.integers(0, 10_000), st.sampled_from([0.25, 1.0, 2.25, 40.0]), st.integers(1, 40))
def test_value_and_gradient_are_those_of_the_formula(seed, tau, rows):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, 5, generator=g).double().requires_grad_()
    weights = torch.rand(rows, rows, generator=g) * (torch.rand(rows, rows, generator=g) < 0.3)
    weights = weights.double()
    weights += torch.eye(rows)
    ours, theirs = neighbourhood(z, weights, tau), plain(z, weights, tau)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)
    (mine,), (other,) = (torch.autograd.grad(loss, z) for loss in (ours, theirs))
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-8)


def test_sparse_weights_are_the_dense_ones_and_a_factor_only_shifts_the_loss():
    z = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(12, 12, generator=torch.Generator().manual_seed(1))
    dense = neighbourhood(z, weights, 0.5)
    torch.testing.assert_close(neighbourhood(z, weights.to_sparse(), 0.5), dense)
    torch.testing.assert_close(neighbourhood(z, 3 * weights, 0.5), dense - math.log(3))


def test_it_is_not_info_nce_which_leaves_the_diagonal_out():
    unit = torch.nn.functional.normalize(ROWS, dim=1)
    without = info_nce(
        unit, unit, scale=0.5, weights=WEIGHTS, weights_inside_log=True, exclude_self=True
    )
    assert float(without) != pytest.approx(float(neighbourhood(ROWS, WEIGHTS, 0.5)), rel=1e-2)


@pytest.mark.parametrize("scale", [0.0, -1.0, 41.0])
def test_scales_out_of_range_are_refused(scale):
    with pytest.raises(InputError, match="scale is"):
        neighbourhood(ROWS, WEIGHTS, scale)


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="no embeddings"):
        neighbourhood(ROWS[:0], WEIGHTS[:0, :0], 1.0)
