import pytest
import torch

from contraview.core.errors import InputError
from contraview.objectives.dice import dice_loss


def logits_of(probability):
    """Two maps whose softmax has this probability for class 1."""
    p = torch.as_tensor(probability)
    return torch.stack([torch.zeros_like(p), torch.logit(p)], dim=1)


def test_by_hand():
    logits = logits_of([[[0.5, 0.25]]])
    truth = torch.tensor([[[1, 0]]])
    expected = 1 - (2 * 0.5 + 1) / (0.75 + 1 + 1)
    assert dice_loss(logits, truth) == pytest.approx(expected)


def test_right_is_zero_wrong_is_one():
    truth = torch.tensor([[[1, 0], [0, 1]]])
    sure = torch.stack([1 - truth, truth], 1).float() * 60 - 30
    assert dice_loss(sure, truth, smooth=1e-6) < 1e-6
    assert dice_loss(-sure, truth, smooth=1e-6) > 1 - 1e-4


def test_an_item_without_the_class_costs_nothing_when_nothing_is_predicted():
    truth = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert dice_loss(logits_of(torch.full((1, 4, 4), 1e-6)), truth) < 1e-4


def test_each_item_and_class_counts_the_same_whatever_its_size():
    truth = torch.zeros(1, 10, 10, dtype=torch.int64)
    truth[0, 0, 0], truth[0, 5:] = 1, 2
    sure = torch.nn.functional.one_hot(truth, 3).movedim(-1, 1).float() * 60
    missed = sure.clone()
    missed[0, :, 0, 0] = torch.tensor([60.0, 0, 0])
    assert dice_loss(missed, truth, smooth=1e-6) == pytest.approx(0.5, abs=1e-4)


def test_background_alone_is_no_task():
    with pytest.raises(InputError, match="1 class"):
        dice_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
