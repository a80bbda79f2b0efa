import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives.masked_mse import masked_mse, normalised


def images(n=2, c=1, side=8):
    return torch.randn(n, c, side, side, generator=torch.Generator().manual_seed(1))


def test_by_hand():
    target = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    predicted = torch.tensor([[[[1.5, 9.0], [3.0, 2.0]]]])
    hidden = torch.tensor([[[[True, False], [False, True]]]])
    assert masked_mse(predicted, target, hidden) == pytest.approx((0.25 + 4) / 2)


def test_visible_pixels_count_for_nothing():
    predicted = images().requires_grad_()
    hidden = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(2)) < 0.5
    masked_mse(predicted, images() + 1, hidden).backward()
    assert predicted.grad is not None
    assert (predicted.grad[~hidden] == 0).all()
    assert (predicted.grad[hidden] != 0).all()


def test_patches_and_rows_are_standardised_by_their_own_pixels():
    x = 3 * images(2, 3) + 5
    by_patch = normalised(x, "patch", 4)
    one = by_patch[1, 2, 4:8, 0:4]
    assert one.mean().abs() < 1e-5
    assert one.std(correction=0) == pytest.approx(1, abs=1e-4)
    by_row = normalised(x, "row")
    assert by_row[0, 1, 3].mean().abs() < 1e-5
    assert by_row[0, 1, 3].std(correction=0) == pytest.approx(1, abs=1e-4)
    assert not torch.allclose(by_patch, by_row)
    assert normalised(x, "none") is x


def test_a_flat_patch_becomes_zero_not_infinite():
    assert (normalised(torch.full((1, 1, 4, 4), 7.0), "patch", 4) == 0).all()


def test_one_mask_serves_all_channels():
    hidden = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    hidden[0, 0, 0, 0] = True
    target, predicted = images(2, 3), images(2, 3) + torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    assert masked_mse(predicted, target, hidden) == pytest.approx((1 + 4 + 9) / 3, rel=1e-5)


def test_nothing_hidden_is_zero_and_patches_must_fit():
    assert masked_mse(images(), images(), torch.zeros(2, 1, 8, 8, dtype=torch.bool)) == 0
    with pytest.raises(InputError, match="8 x 8 pixels cannot be cut into patches of 3"):
        normalised(images(), "patch", 3)
