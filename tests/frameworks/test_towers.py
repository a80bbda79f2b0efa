import math

import pytest
import torch
from torch import nn

from contraview.frameworks.towers import Towers, clamp_scale


def towers():
    return Towers({"image": nn.Linear(4, 3), "text": nn.Linear(5, 3)})


def test_each_modality_has_its_tower_and_may_be_missing():
    model = towers()
    vectors, scale = model({"image": torch.ones(2, 4), "text": torch.ones(6, 5)})
    assert {name: tuple(v.shape) for name, v in vectors.items()} == {
        "image": (2, 3),
        "text": (6, 3),
    }
    torch.testing.assert_close(vectors["text"].norm(dim=1), torch.ones(6))
    assert scale.item() == pytest.approx(1 / 0.07, rel=1e-5)
    assert set(model({"text": torch.ones(1, 5)})[0]) == {"text"}


@pytest.mark.parametrize(("parameter", "scale"), [(9.0, 100.0), (-1.0, 1.0), (2.0, math.exp(2))])
def test_the_scale_stays_between_1_and_100(parameter, scale):
    model = towers()
    with torch.no_grad():
        model.log_scale.fill_(parameter)
    clamp_scale(model, 1)
    assert model.log_scale.exp().item() == pytest.approx(scale, rel=1e-5)
