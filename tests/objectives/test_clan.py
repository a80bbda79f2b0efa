"""CLAN's and CLAD's losses against hand-computed values and the full matrix."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from contraview.core.errors import InputError
from contraview.objectives import clad_loss, clan_loss, tiles


def full_matrix(benign, corrupted, *, margin=0.5, balance=0.5, squared=False) -> Tensor:
    u, v = normalize(benign), normalize(corrupted)
    distance = (1 - u @ u.T) / 2
    hinge = (margin - (1 - u @ v.T) / 2).relu()
    losses = []
    for terms in (distance, hinge):
        active = (terms > 1e-6).sum().clamp(min=1)
        losses.append((terms**2 if squared else terms).sum() / active)
    return balance * losses[0] + (1 - balance) * losses[1]


def test_hand_computed():
    # d(e1, e2) = 1/2 for two ordered pairs; e1 against e1 is the only active hinge, 0.5.
    benign = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    corrupted = torch.tensor([[5.0, 0.0], [-1.0, -1.0]])
    assert clan_loss(benign, corrupted).item() == pytest.approx(0.5 * 0.5 + 0.5 * 0.5)
    assert clan_loss(benign, corrupted, balance=1.0).item() == pytest.approx(0.5)
    # margin 0.75: hinges 0.75 (e1, e1), 0.25 (e2, e1); d(e, (-1,-1)) = 0.854 is past it.
    loss = clan_loss(benign, corrupted, margin=0.75, balance=0.0)
    assert loss.item() == pytest.approx((0.75 + 0.25) / 2)
    squared = clan_loss(benign, corrupted, margin=0.75, balance=0.25, squared=True)
    assert squared.item() == pytest.approx(0.25 * 0.25 + 0.75 * (0.75**2 + 0.25**2) / 2)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(("n", "m", "spread"), [(2, 1, 1.0), (50, 50, 0.1), (300, 520, 1.0)])
def test_agrees_with_full_matrix(n, m, spread, squared):
    generator = torch.Generator().manual_seed(n)
    benign = 1 + spread * torch.randn(n, 16, generator=generator)
    corrupted = 1 + 2 * torch.randn(m, 16, generator=generator)
    single = benign.clone().requires_grad_(), corrupted.clone().requires_grad_()
    double = benign.double().requires_grad_(), corrupted.double().requires_grad_()
    loss = clan_loss(*single, squared=squared, balance=0.3)
    expected = full_matrix(*double, squared=squared, balance=0.3)
    assert abs(loss - expected) <= 1e-6
    for slope, other in zip(
        torch.autograd.grad(loss, single), torch.autograd.grad(expected, double), strict=True
    ):
        assert (slope - other).norm() <= 1e-4 * other.norm()


def test_tight_cluster_keeps_its_digits():
    # Distances near 1e-5, where 1 - cos in float32 has two digits left.
    generator = torch.Generator().manual_seed(0)
    benign = 1 + 0.005 * torch.randn(100, 16, generator=generator)
    loss = clan_loss(benign, -benign, balance=1.0)
    expected = full_matrix(benign.double(), -benign.double(), balance=1.0)
    assert 1e-6 < expected < 1e-4
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize("squared", [False, True])
def test_identical_embeddings(squared):
    benign = torch.tensor([0.3, -0.7, 0.2]).repeat(37, 1).requires_grad_()
    corrupted = torch.randn(37, 3)
    loss = clan_loss(benign, corrupted, balance=1.0, squared=squared)
    slope = torch.autograd.grad(loss, benign)[0]
    assert loss.item() == 0
    assert torch.equal(slope, torch.zeros_like(slope))
    both = clan_loss(benign, benign.detach(), squared=squared)
    assert torch.autograd.grad(both, benign)[0].isfinite().all()


@pytest.mark.parametrize("squared", [False, True])
def test_no_active_pair_is_zero_with_zero_gradient(squared):
    benign = torch.tensor([[1.0, 2.0]]).requires_grad_()
    corrupted = torch.tensor([[-2.0, 1.0], [-1.0, -2.0]]).requires_grad_()
    loss = clan_loss(benign, corrupted, margin=0.49, squared=squared)
    assert loss.item() == 0
    for slope in torch.autograd.grad(loss, (benign, corrupted)):
        assert torch.equal(slope, torch.zeros_like(slope))


def test_zero_vectors_stay_finite():
    benign = torch.zeros(4, 3, requires_grad=True)
    corrupted = torch.zeros(4, 3, requires_grad=True)
    loss = clan_loss(benign, corrupted)
    assert loss.isfinite()
    for slope in torch.autograd.grad(loss, (benign, corrupted)):
        assert torch.equal(slope, torch.zeros(4, 3))


@pytest.mark.parametrize("squared", [False, True])
def test_tile_size_is_invisible(monkeypatch, squared):
    torch.manual_seed(0)
    benign, corrupted = torch.randn(70, 8).requires_grad_(), torch.randn(90, 8).requires_grad_()
    loss = clan_loss(benign, corrupted, squared=squared)
    slopes = torch.autograd.grad(loss, (benign, corrupted))
    for size in (9, 16, 33):
        monkeypatch.setattr(tiles, "CPU_TILE", size)
        other = clan_loss(benign, corrupted, squared=squared)
        assert other.item() == pytest.approx(loss.item(), rel=1e-6)
        for a, b in zip(slopes, torch.autograd.grad(other, (benign, corrupted)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("squared", [False, True])
def test_gradient_in_double(monkeypatch, squared):
    monkeypatch.setattr(tiles, "CPU_TILE", 3)
    torch.manual_seed(0)
    benign = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    corrupted = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda b, c: clan_loss(b, c, balance=0.3, squared=squared), (benign, corrupted)
    )


def test_clad_compares_benign_rows_with_attacks_only():
    torch.manual_seed(0)
    z = torch.randn(30, 5)
    attack = torch.rand(30) < 0.4
    expected = full_matrix(z[~attack], z[attack], margin=1.0, squared=True)
    assert clad_loss(z, attack).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("attack", [False, True])
def test_clad_with_one_kind_only(attack):
    z = torch.randn(6, 3, requires_grad=True)
    loss = clad_loss(z, torch.full((6,), attack))
    loss.backward()
    assert z.grad.isfinite().all()
    assert (loss == 0) if attack else (loss > 0)


def test_wrong_input_is_one_line():
    z = torch.randn(2, 2)
    with pytest.raises(InputError, match="margin is 0"):
        clan_loss(z, z, margin=0.0)
    with pytest.raises(InputError, match="balance is"):
        clan_loss(z, z, balance=1.5)
