"""SupCon against hand-computed values and the full matrix."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from contraview.core.errors import InputError
from contraview.objectives import nt_xent, sup_con, tiles


def full_matrix(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    z = normalize(embeddings.double())
    logits = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    positive = (labels[:, None] == labels).fill_diagonal_(False)
    log_p = torch.where(positive, logits.log_softmax(1), 0)
    rows = positive.any(1)
    return -(log_p.sum(1)[rows] / positive.sum(1)[rows]).mean()


def test_hand_computed():
    # Two of class 7 at the same place, one of class 3 across: the odd one has no positive.
    z = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    loss = sup_con(z, torch.tensor([7, 7, 3]), temperature=1.0)
    assert loss.item() == pytest.approx(math.log((math.e + 1) / math.e))


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(("n", "classes"), [(5, 2), (60, 60), (300, 4), (300, 150)])
def test_agrees_with_full_matrix(n, classes, temperature):
    generator = torch.Generator().manual_seed(n)
    embeddings = torch.randn(n, 24, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator) - 1
    inputs = embeddings.clone().requires_grad_(), embeddings.double().requires_grad_()
    loss, expected = (
        sup_con(inputs[0], labels, temperature),
        full_matrix(inputs[1], labels, temperature),
    )
    slope, expected_slope = (
        torch.autograd.grad(value, x)[0] for value, x in zip((loss, expected), inputs, strict=True)
    )
    assert abs(loss - expected) <= 1e-6 * max(1.0, expected.item() / temperature)
    assert (slope - expected_slope).norm() <= 1e-4 * expected_slope.norm()


def test_is_nt_xent_where_classes_are_pairs():
    torch.manual_seed(0)
    view_a, view_b = torch.randn(20, 8), torch.randn(20, 8)
    pairs = torch.arange(20).repeat(2)
    assert sup_con(torch.cat([view_a, view_b]), pairs, 0.2).item() == pytest.approx(
        nt_xent(view_a, view_b, 0.2).item(), rel=1e-6
    )


def test_no_positive_is_zero():
    z = torch.randn(4, 3, requires_grad=True)
    loss = sup_con(z, torch.arange(4))
    assert loss.item() == 0
    assert torch.equal(torch.autograd.grad(loss, z)[0], torch.zeros(4, 3))


def test_gradient_in_double(monkeypatch):
    monkeypatch.setattr(tiles, "CPU_TILE", 3)
    torch.manual_seed(0)
    z = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 1, 0, 2, 2])
    assert torch.autograd.gradcheck(lambda z: sup_con(z, labels, 0.3), (z,))


def test_zero_vectors_stay_finite():
    z = torch.zeros(6, 3, requires_grad=True)
    loss = sup_con(z, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(5))
    assert torch.equal(z.grad, torch.zeros(6, 3))


def test_wrong_input_is_one_line():
    with pytest.raises(InputError, match="temperature is 0"):
        sup_con(torch.randn(2, 2), torch.tensor([0, 0]), temperature=0.0)
    with pytest.raises(InputError, match="no embeddings"):
        sup_con(torch.randn(0, 2), torch.zeros(0, dtype=torch.int64))
