import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator
from contraview.objectives.soft_contrast import soft_contrast


def drawn(n=7, m=9, classes=4):
    g = torch_generator(0)
    queries = torch.randn(n, 5, generator=g, requires_grad=True)
    keys = torch.randn(m, 5, generator=g, requires_grad=True)
    labels = [(torch.rand(k, classes, generator=g) < 0.5).float() for k in (n, m)]
    labels[0][2] = 0
    labels[1][4] = 0
    return queries, keys, *labels


def plain(queries, keys, of_queries, of_keys, temperature):
    x = normalize(queries) @ normalize(keys).T / temperature
    targets = normalize(of_queries) @ normalize(of_keys).T
    known = (of_queries.sum(1) > 0)[:, None] & (of_keys.sum(1) > 0)
    return binary_cross_entropy_with_logits(x, targets, reduction="none")[known].mean()


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_it_is_the_plain_formula_in_value_and_gradient(temperature):
    queries, keys, *labels = drawn()
    loss = soft_contrast(queries, keys, *labels, temperature)
    expected = plain(queries, keys, *labels, temperature)
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(loss, (queries, keys))
    torch.testing.assert_close(found, torch.autograd.grad(expected, (queries, keys)))


def test_beyond_one_tile_it_is_the_same():
    queries, keys, *labels = drawn(300, 400)
    loss = soft_contrast(queries, keys, *labels)
    torch.testing.assert_close(loss, plain(queries, keys, *labels, 0.2))


def test_by_hand():
    """Water beside water and forest: the target is 1 / sqrt 2; at a right angle x is 0."""
    queries, keys = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    water, both = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    loss = soft_contrast(queries, keys, water, both, 1.0)
    torch.testing.assert_close(loss, torch.tensor(2.0).log())
    loss = soft_contrast(queries, queries, water, both, 0.5)
    torch.testing.assert_close(loss, torch.tensor(2.0).exp().log1p() - 2 / 2**0.5)


def test_rows_without_labels_take_no_part_and_get_no_gradient():
    queries, keys, *labels = drawn()
    soft_contrast(queries, keys, *labels).backward()
    assert (queries.grad[2] == 0).all()
    assert (keys.grad[4] == 0).all()
    assert (queries.grad[[0, 1, 3]] != 0).any()
    nothing = soft_contrast(queries, keys, torch.zeros(7, 4), labels[1])
    assert nothing == 0
    nothing.backward()


def test_no_matrix_of_pairs_is_kept():
    rows = 20_000
    queries = torch.randn(rows, 4, generator=torch_generator(1), requires_grad=True)
    labels = (torch.rand(rows, 3, generator=torch_generator(2)) < 0.5).float()
    keys = queries.detach()
    soft_contrast(queries, keys, labels, labels).backward()  # 1.6 GB, were it one
    assert queries.grad.isfinite().all()


def test_what_does_not_fit_is_named():
    queries, keys, *labels = drawn()
    with pytest.raises(InputError, match="temperature is 0"):
        soft_contrast(queries, keys, *labels, 0.0)
    with pytest.raises(InputError, match="labels below 0"):
        soft_contrast(queries, keys, -labels[0], labels[1])
