import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.objectives import group_divergence, sharpened, student_t


def test_student_t_by_hand():
    q = student_t(torch.tensor([[0.0], [3.0]]), torch.tensor([[0.0], [1.0]]))
    # 1/(1+0), 1/(1+1); 1/(1+9), 1/(1+4)
    torch.testing.assert_close(q, torch.tensor([[2 / 3, 1 / 3], [1 / 3, 2 / 3]]))


def test_sharpened_by_hand():
    q = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
    first, second = 0.9**2 / 1.5, 0.1**2 / 0.5
    p = sharpened(q)
    torch.testing.assert_close(p[0], torch.tensor([first, second]) / (first + second))
    assert p[0, 0] > 0.9


def test_divergence_by_hand_is_the_mean_over_rows():
    q = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
    p = sharpened(q)
    pairs = zip(p.flatten().tolist(), q.flatten().tolist(), strict=True)
    expected = sum(a * math.log(a / b) for a, b in pairs) / 2
    torch.testing.assert_close(group_divergence(q), torch.tensor(expected))


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(2, 5))
def test_rows_sum_to_one_and_the_target_is_constant(seed, rows, groups):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, 3, generator=g).requires_grad_()
    q = student_t(z, torch.randn(groups, 3, generator=g))
    torch.testing.assert_close(q.sum(1), torch.ones(rows))
    p = sharpened(q)
    torch.testing.assert_close(p.sum(1), torch.ones(rows))
    assert not p.requires_grad
    divergence = group_divergence(q)
    assert divergence >= -1e-6
    # with P constant the gradient by q is -p / q / n
    (slope,) = torch.autograd.grad(divergence, q)
    torch.testing.assert_close(slope, -(p / q) / rows, rtol=1e-4, atol=1e-5)


def test_a_row_on_a_centre_has_a_finite_gradient():
    z = torch.zeros(2, 3, requires_grad=True)
    group_divergence(student_t(z, torch.zeros(2, 3).add_(torch.tensor([[0.0], [1.0]])))).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
