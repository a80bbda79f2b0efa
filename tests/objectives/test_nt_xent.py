"""NT-Xent against hand-computed values and against the full matrix in float64."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from contraview.core.errors import InputError
from contraview.objectives import nt_xent, tiles


def full_matrix(view_a: Tensor, view_b: Tensor, temperature: float) -> Tensor:
    z = normalize(torch.cat([view_a, view_b]).double())
    logits = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return cross_entropy(logits, torch.arange(len(z)).roll(len(view_a)))


def loss_and_gradient(function, *views: Tensor, **settings) -> tuple[Tensor, Tensor]:
    views = tuple(view.detach().requires_grad_() for view in views)
    loss = function(*views, **settings)
    return loss.detach().double(), torch.cat(torch.autograd.grad(loss, views)).double()


def assert_agree(view_a: Tensor, view_b: Tensor, temperature: float) -> None:
    """The project's bound: float32 in tiles against float64 on the full matrix."""
    loss, gradient = loss_and_gradient(nt_xent, view_a, view_b, temperature=temperature)
    expected, slope = loss_and_gradient(
        full_matrix, view_a.double(), view_b.double(), temperature=temperature
    )
    assert abs(loss - expected) <= 1e-6 * max(1.0, expected.item() / temperature)
    allowed = 1e-4 * slope.norm() if expected > 1e-3 else 1e-6
    assert abs(gradient.norm() - slope.norm()) <= allowed
    assert (gradient - slope).norm() <= allowed


def test_hand_computed():
    # Rows: a1 = b1 = (1, 0), a2 = b2 = (0, 1); T = 1. Every row sees its partner at cosine 1 and
    # two others at cosine 0: -log(e / (e + 2)).
    view = torch.eye(2)
    assert nt_xent(view, view, 1.0).item() == pytest.approx(math.log((math.e + 2) / math.e))


def test_length_of_embeddings_is_ignored():
    view = torch.eye(2)
    assert nt_xent(3 * view, 0.1 * view, 1.0).item() == pytest.approx(
        nt_xent(view, view, 1.0).item()
    )


def test_one_row_has_nothing_to_tell_apart():
    view_a = torch.randn(1, 4, requires_grad=True)
    loss = nt_xent(view_a, torch.randn(1, 4))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(view_a.grad, torch.zeros(1, 4))


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.025, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (3, 128), (64, 8), (200, 32), (300, 128)])
@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0])
def test_agrees_with_full_matrix(n, d, noise, temperature):
    torch.manual_seed(n + d)
    view_a = torch.randn(n, d)
    assert_agree(view_a, view_a + noise * torch.randn(n, d), temperature)


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.025, 0.1, 1.0])
def test_all_scores_negative(temperature):
    # Corners of a simplex, as far apart as n rows can all be, moved a little.
    torch.manual_seed(0)
    for n in (3, 40):
        z = torch.eye(n + n % 2) - 1.2 / n + 0.1 / n * torch.randn(n + n % 2, n + n % 2)
        cosines = normalize(z) @ normalize(z).T
        assert (cosines.fill_diagonal_(-1) < 0).all()
        assert_agree(*z.chunk(2), temperature)
    # Every positive at cosine -1, the lowest logit there is.
    row = torch.randn(8, 16)
    assert_agree(row, -row, temperature)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
def test_duplicates_in_the_batch(temperature):
    torch.manual_seed(0)
    view_a = torch.randn(20, 16).repeat(15, 1)
    assert_agree(view_a, view_a + 0.1 * torch.randn_like(view_a), temperature)
    same = torch.ones(300, 16)
    assert nt_xent(same, same, temperature).item() == pytest.approx(math.log(599), abs=1e-4)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
def test_tile_size_is_invisible(monkeypatch, temperature):
    torch.manual_seed(0)
    views = torch.randn(150, 24), torch.randn(150, 24)
    loss, gradient = loss_and_gradient(nt_xent, *views, temperature=temperature)
    for size in (11, 64, 1024):
        monkeypatch.setattr(tiles, "CPU_TILE", size)
        other, slope = loss_and_gradient(nt_xent, *views, temperature=temperature)
        assert other.item() == pytest.approx(loss.item(), rel=1e-6)
        torch.testing.assert_close(slope, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.02, 0.5])
def test_gradient_in_double(monkeypatch, temperature):
    monkeypatch.setattr(tiles, "CPU_TILE", 3)
    torch.manual_seed(0)
    views = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, temperature), views)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
def test_zero_vectors_stay_finite(temperature):
    torch.manual_seed(0)
    view_a, view_b = torch.randn(5, 4), torch.randn(5, 4)
    view_a[2] = 0
    view_b[2:4] = 0
    loss, gradient = loss_and_gradient(nt_xent, view_a, view_b, temperature=temperature)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert torch.equal(gradient[2], torch.zeros(4, dtype=torch.float64))
    expected = full_matrix(view_a, view_b, temperature)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_is_computed_in_float32():
    torch.manual_seed(0)
    view_a, view_b = torch.randn(40, 16).bfloat16(), torch.randn(40, 16).bfloat16()
    expected = full_matrix(view_a, view_b, 0.1).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(view_a.requires_grad_(), view_b, 0.1)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert view_a.grad.isfinite().all()


def test_wrong_input_is_one_line():
    view = torch.randn(3, 4)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="temperature is"):
            nt_xent(view, view, temperature)
    with pytest.raises((InputError, TypeCheckError), match="view_b"):
        nt_xent(view, torch.randn(4, 4))
    with pytest.raises(InputError, match="0 queries"):
        nt_xent(view[:0], view[:0])


def test_row_weights_multiply_both_views_of_a_row():
    one, other = torch.randn((2, 5, 4), generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.0, 1.0, 0.5, 2.0, 1.5])
    z = normalize(torch.cat([one, other]).double())
    logits = (z @ z.T / 0.2).fill_diagonal_(-torch.inf)
    losses = cross_entropy(logits, torch.arange(10).roll(5), reduction="none")
    expected = (losses * weights.repeat(2)).mean().item()
    assert nt_xent(one, other, 0.2, row_weights=weights).item() == pytest.approx(expected, rel=1e-5)
    ones = nt_xent(one, other, 0.2, row_weights=torch.ones(5))
    torch.testing.assert_close(ones, nt_xent(one, other, 0.2))
