import math

import pytest
import torch
from torch import nn

from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.masked_language import Masking, masked_language
from contraview.networks.fresh import fresh
from contraview.networks.tokens import MaskedLanguageModel, TokenEncoder
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

MASKING = Masking(mask=4, first=5, vocabulary=50)


def rows(count=2000, length=20):
    ids = torch.randint(5, 50, (count, length), generator=torch_generator(0, "rows"))
    ids[:, 0], ids[:, -1] = 2, 0
    return ids


def test_of_the_hidden_places_eight_tenths_show_the_mask_and_a_tenth_another_token():
    ids = rows()
    shown, places = MASKING(ids, torch_generator(0, "mask"))
    ordinary = ids >= 5
    assert not places[~ordinary].any()
    assert (places.sum() / ordinary.sum()).item() == pytest.approx(0.15, abs=0.01)
    hidden = shown[places]
    assert (hidden == 4).float().mean().item() == pytest.approx(0.8, abs=0.02)
    same = (hidden == ids[places]).float().mean().item()
    assert same == pytest.approx(0.1 + 0.1 / 45, abs=0.02)
    assert torch.equal(shown[~places], ids[~places])
    assert (hidden >= 4).all()


def test_a_short_batch_still_has_a_place_to_fill():
    ids = torch.tensor([[2, 9, 3, 0]])
    for step in range(50):
        _, places = MASKING(ids, torch_generator(step, "mask"))
        assert places.tolist() == [[False, True, False, False]]


def test_rows_without_an_ordinary_token_give_no_loss_and_no_nan():
    ids = torch.tensor([[2, 3, 0]])
    loss = masked_language(lambda _rows, _g: ids, MASKING)
    model = MaskedLanguageModel(TokenEncoder(50, length=4, width=8, depth=1, heads=2))
    assert loss(model, torch.tensor([0]), torch_generator(0, "step")).loss.item() == 0


def test_the_loss_is_the_mean_cross_entropy_over_the_hidden_places():
    class Fixed(nn.Module):
        def forward(self, ids, places):
            return torch.zeros(int(places.sum()), 50).index_fill(1, torch.tensor([7]), math.log(2))

    ids = torch.full((4, 10), 7)
    loss = masked_language(lambda _rows, _g: ids, MASKING)
    step = loss(Fixed(), torch.arange(4), torch_generator(0, "step"))
    assert step.loss.item() == pytest.approx(math.log(51 / 2), abs=1e-5)  # p = 2 / (49 + 2)


def test_it_learns_which_token_follows_which():
    start = torch.randint(0, 45, (200, 1), generator=torch_generator(0, "start"))
    ids = 5 + (start + torch.arange(8)) % 45
    make = lambda: MaskedLanguageModel(TokenEncoder(50, length=8, width=32, depth=1, heads=2))  # noqa: E731
    model = fresh(make, 0, "model")
    loss = masked_language(lambda chosen, _g: ids[chosen], MASKING)
    schedule = Schedule(steps=150, batch=50, lr=5e-3, warmup=0.1)
    train(model, loss, epochs(200, 50, 0), schedule, run=Run(seed=0))
    hidden = ids.clone()
    hidden[:, 3] = 4
    places = torch.zeros_like(ids, dtype=torch.bool)
    places[:, 3] = True
    assert (model(hidden, places).argmax(1) == ids[:, 3]).float().mean() > 0.9
