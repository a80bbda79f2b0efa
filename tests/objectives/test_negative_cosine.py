import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives.negative_cosine import negative_cosine


def test_by_hand_and_without_gradient_into_the_target():
    predictions = torch.tensor([[3.0, 4.0], [0.0, 2.0]], requires_grad=True)
    targets = torch.tensor([[1.0, 0.0], [0.0, -5.0]], requires_grad=True)
    loss = negative_cosine(predictions, targets)
    assert loss.item() == pytest.approx(-(0.6 - 1.0) / 2)
    loss.backward()
    assert targets.grad is None
    assert predictions.grad.abs().sum() > 0


def test_the_official_form_has_the_same_value_and_gradient():
    g = torch.Generator().manual_seed(0)
    p = torch.randn(7, 5, generator=g, dtype=torch.float64, requires_grad=True)
    z = torch.randn(7, 5, generator=g, dtype=torch.float64)
    official = -torch.nn.CosineSimilarity(dim=1)(p, z).mean()
    (wanted,) = torch.autograd.grad(official, p)
    (found,) = torch.autograd.grad(negative_cosine(p, z), p)
    torch.testing.assert_close(negative_cosine(p, z), official)
    torch.testing.assert_close(found, wanted)


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="at least one row"):
        negative_cosine(torch.ones(0, 3), torch.ones(0, 3))
