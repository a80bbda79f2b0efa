"""The gradient in chunks is that of the whole batch, in the memory of a chunk."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from contraview.core.errors import InputError
from contraview.frameworks.two_view import two_view
from contraview.networks.mlp import mlp
from contraview.objectives import nt_xent
from contraview.training.grad_cache import in_chunks

ROWS = torch.randn(22, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Scaled(nn.Module):
    """An encoder with dropout, a second network that is not trained, and a learned scale."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 4)
        )
        self.teacher = nn.Linear(6, 4).requires_grad_(False)
        self.log_scale = nn.Parameter(torch.tensor(0.3))
        self.double()

    def forward(self, rows):
        return self.network(rows), self.teacher(rows), self.log_scale.exp()


def loss_of(embedded, keys, scale):
    return nt_xent(embedded, keys, 0.3) * scale + (embedded @ embedded.T).square().mean()


def gradients(model):
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


def in_chunks_of(chunk, dropout=0.0):
    model = Scaled(dropout)
    torch.manual_seed(3)
    found, after = in_chunks(model, model, (ROWS,), chunk)
    loss = loss_of(*found)
    loss.backward()
    assert after is None or not gradients(model)
    if after is not None:
        after()
    return loss, gradients(model)


@pytest.mark.parametrize("chunk", [1, 5, 8, 21])  # 5, 8 and 21 do not divide 22
def test_the_gradient_is_that_of_the_whole_batch(chunk):
    loss, found = in_chunks_of(chunk)
    whole, expected = in_chunks_of(None)
    torch.testing.assert_close(loss, whole, rtol=0, atol=1e-12)
    assert found.keys() == expected.keys()
    assert "log_scale" in expected
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12, msg=name)


def test_dropout_repeats_in_the_second_pass():
    loss, found = in_chunks_of(8, dropout=0.5)
    model = Scaled(0.5)
    torch.manual_seed(3)  # the same chunks with all their graphs kept at once
    parts = list(zip(*(model(part) for part in ROWS.split(8)), strict=True))
    expected = loss_of(torch.cat(parts[0]), torch.cat(parts[1]), parts[2][0])
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12, msg=name)
    torch.manual_seed(3)
    once, _ = in_chunks(model, model, (ROWS,), None)
    assert not torch.allclose(once[0], in_chunks(model, model, (ROWS,), None)[0][0])


def test_the_second_pass_without_its_random_state_would_be_noticed(monkeypatch):
    expected = in_chunks_of(8, dropout=0.5)[1]["network.0.weight"]
    monkeypatch.setattr("contraview.training.grad_cache._restore", lambda *_: None)
    assert not torch.allclose(in_chunks_of(8, dropout=0.5)[1]["network.0.weight"], expected)


class Widest(TorchDispatchMode):
    """Notes the most rows that a hidden layer, 64 wide, ever holds."""

    rows = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.shape[1:] == (64,):
            self.rows = max(self.rows, len(made))
        return made


def test_no_activation_is_of_more_rows_than_a_chunk():
    for chunk, most in ((4, 8), (None, 256)):  # two views of each row
        with Widest() as widest:
            network = mlp(6, 64, 4)
            views = torch.randn(128, 6), torch.randn(128, 6)
            loss = two_view(lambda *_, views=views: views, nt_xent, chunk)
            step = loss(network, torch.arange(128), torch.Generator())
            step.loss.backward()
            if step.after_backward is not None:
                step.after_backward()
        # gradients of weights are 64 wide too, and 64 or 6 long
        assert max(widest.rows, 64) == max(most, 64)


def test_batch_statistics_are_refused_by_the_layers_name():
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)).double()
    with pytest.raises(InputError, match=r"chunk: BatchNorm1d \(1\) takes statistics"):
        in_chunks(model, lambda rows: (model(rows),), (ROWS,), 5)
    in_chunks(model, lambda rows: (model(rows),), (ROWS,), None)
    model[1].eval()
    in_chunks(model, lambda rows: (model(rows),), (ROWS,), 5)
