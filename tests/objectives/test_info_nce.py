"""InfoNCE in every form against the full matrix."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from contraview.core.errors import InputError
from contraview.objectives import info_nce, tiles


def full_matrix(q, k, *, scale, weights, inside=False, exclude_self=False, extra=None) -> Tensor:
    """Mean over rows with a positive; weights [n, m] always."""
    logits = scale * q @ (k if extra is None else torch.cat([k, extra])).T
    own = torch.arange(len(q))
    if exclude_self:
        weights = weights.clone()
        weights[own, own] = 0
        logits = logits.index_put((own, own), torch.tensor(-torch.inf, dtype=logits.dtype))
    rows = weights.sum(1) > 0
    logits, weights = logits[rows], weights[rows]
    everything = logits.logsumexp(1)
    positives = logits[:, : len(k)]
    if inside:
        losses = everything - (positives + weights.log()).logsumexp(1)
    else:
        losses = weights.sum(1) * everything - torch.where(weights > 0, weights * positives, 0).sum(
            1
        )
    return losses.mean()


def unit_rows(n: int, d: int = 12, seed: int = 0) -> Tensor:
    return normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "CPU_TILE", 16)


def assert_agree(actual, expected, *inputs: Tensor) -> None:
    slopes = torch.autograd.grad(actual, inputs)
    expected_slopes = torch.autograd.grad(expected, inputs)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    for slope, other in zip(slopes, expected_slopes, strict=True):
        torch.testing.assert_close(slope, other, rtol=1e-3, atol=1e-5)


def test_hand_computed():
    # One query at logits ln 3 (its positive), 0 and 0: -log(3/5).
    q = torch.tensor([[1.0, 0.0]])
    k = torch.tensor([[math.log(3), 0.0], [0.0, 1.0], [0.0, 2.0]])
    index = torch.tensor([0])
    assert info_nce(q, k, scale=1.0, weights=index).item() == pytest.approx(math.log(5 / 3))
    # Half the weight on each of the first two: outside (log 5 - log 3 / 2), inside log(5 / 2).
    weights = torch.tensor([[0.5, 0.5, 0.0]])
    outside = info_nce(q, k, scale=1.0, weights=weights)
    inside = info_nce(q, k, scale=1.0, weights=weights, weights_inside_log=True)
    assert outside.item() == pytest.approx(math.log(5) - math.log(3) / 2)
    assert inside.item() == pytest.approx(math.log(5 / 2))


@pytest.mark.parametrize("scale", [2.0, 10.0, 100.0])
def test_aligned_rows(scale):
    q, k = unit_rows(50).requires_grad_(), unit_rows(50, seed=1).requires_grad_()
    expected = cross_entropy(scale * q @ k.T, torch.arange(50))
    assert_agree(info_nce(q, k, scale=scale), expected, q, k)


@pytest.mark.parametrize("scale", [2.0, 100.0])
def test_queue_of_extra_negatives(scale):
    q, k = unit_rows(20).requires_grad_(), unit_rows(20, seed=1)
    queue = unit_rows(70, seed=2)
    expected = cross_entropy(scale * q @ torch.cat([k, queue]).T, torch.arange(20))
    assert_agree(info_nce(q, k, scale=scale, extra_keys=queue), expected, q)


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("scale", [5.0, 100.0])
@pytest.mark.parametrize("same", [False, True])
def test_weights(same, scale, inside, exclude_self):
    q = unit_rows(40).requires_grad_()
    k = q if same else unit_rows(40, seed=1).requires_grad_()
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand(40, 40, generator=generator)
    weights = weights * (torch.rand(40, 40, generator=generator) < 0.2)
    weights[5] = 0  # no positive: not counted
    actual = info_nce(
        q, k, scale=scale, weights=weights, weights_inside_log=inside, exclude_self=exclude_self
    )
    expected = full_matrix(
        q, k, scale=scale, weights=weights, inside=inside, exclude_self=exclude_self
    )
    assert_agree(actual, expected, *([q] if same else [q, k]))


def test_positives_that_are_not_mutual():
    q = unit_rows(40).requires_grad_()
    nxt = torch.arange(40).roll(-1)
    expected = full_matrix(q, q, scale=10.0, weights=torch.eye(40)[nxt], exclude_self=True)
    assert_agree(info_nce(q, q, scale=10.0, weights=nxt, exclude_self=True), expected, q)


@pytest.mark.parametrize("length", [1.0, 30.0])
def test_vectors_of_any_length(length):
    # Products up to 900: the running maximum must take over from plain sums by itself.
    q, k = (length * unit_rows(50)).requires_grad_(), (length * unit_rows(50, seed=1))
    expected = cross_entropy((q @ k.T).double(), torch.arange(50))
    assert_agree(info_nce(q, k, scale=1.0), expected, q)


def test_learned_scale_receives_its_gradient():
    q, k = unit_rows(30).requires_grad_(), unit_rows(30, seed=1).requires_grad_()
    scale = torch.tensor(14.0, requires_grad=True)
    expected = cross_entropy(scale * q @ k.T, torch.arange(30))
    assert_agree(info_nce(q, k, scale=scale), expected, q, k, scale)


@pytest.mark.parametrize("inside", [False, True])
def test_gradient_in_double(inside):
    q = unit_rows(5, 3).double().requires_grad_()
    k = unit_rows(20, 3, seed=1).double().requires_grad_()
    weights = torch.rand(5, 20, generator=torch.Generator().manual_seed(0)).double()
    for scale in (3.0, 60.0):
        assert torch.autograd.gradcheck(
            lambda q, k, s=scale: info_nce(
                q, k, scale=s, weights=weights, weights_inside_log=inside
            ),
            (q, k),
        )


def test_no_query_with_a_positive_is_zero():
    q = unit_rows(4).requires_grad_()
    for inside in (False, True):
        loss = info_nce(q, q, scale=5.0, weights=torch.zeros(4, 4), weights_inside_log=inside)
        assert loss.item() == 0
        assert torch.equal(torch.autograd.grad(loss, q)[0], torch.zeros_like(q))


def test_wrong_input_is_one_line():
    q = unit_rows(4)
    with pytest.raises(InputError, match="scale is 0"):
        info_nce(q, q, scale=0.0)
    with pytest.raises(InputError, match="only positive"):
        info_nce(q, q, scale=1.0, exclude_self=True)
    with pytest.raises(InputError, match="0 queries"):
        info_nce(q[:0], q, scale=1.0)
