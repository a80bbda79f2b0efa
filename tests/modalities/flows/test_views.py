import pytest
import torch

from contraview.core.seeds import torch_generator
from contraview.modalities.flows import views

ROWS = torch.randn(2000, 12, generator=torch_generator(0, "rows"))


def cells(p_feature=0.3, p_sample=1.0):
    generator = torch_generator(1, "cells")
    return views.cells(ROWS, generator, p_feature=p_feature, p_sample=p_sample)


@pytest.mark.parametrize(
    ("columns", "share"), [(12, 0.6), (36, 0.5), (72, 0.25), (180, 0.1), (1000, 0.1)]
)
def test_about_eighteen_columns_are_altered(columns, share):
    assert views.expected_share(columns) == pytest.approx(share)


def test_the_share_of_cells_and_of_rows():
    assert cells().float().mean() == pytest.approx(0.3, abs=0.01)
    half = cells(p_feature=0.99, p_sample=0.5)
    assert half.any(dim=1).float().mean() == pytest.approx(0.5, abs=0.04)


CORRUPTIONS = {
    "uniform": lambda rows, mask, g: views.uniform(rows, mask, g, 1.7),
    "gaussian": views.gaussian,
    "jitter": lambda rows, mask, g: views.jitter(rows, mask, g, 0.5),
    "zero": lambda rows, mask, g: views.zero(rows, mask),
    "marginal": views.marginal,
    "shuffle": views.shuffle,
    "mix": lambda rows, mask, g: views.mix(rows, mask, g, p_mixup=0.5, ratio=0.5),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_only_masked_cells_change_and_the_seed_decides(name):
    mask, before = cells(), ROWS.clone()
    altered = CORRUPTIONS[name](ROWS, mask, torch_generator(2, name))
    assert torch.equal(altered[~mask], ROWS[~mask])
    assert not torch.equal(altered, ROWS)
    assert torch.equal(ROWS, before)
    assert torch.equal(altered, CORRUPTIONS[name](ROWS, mask, torch_generator(2, name)))


def test_uniform_draws_fill_the_span_with_unit_variance():
    mask = torch.ones_like(ROWS, dtype=torch.bool)
    drawn = views.uniform(ROWS, mask, torch_generator(3, "u"), 3**0.5)
    assert drawn.abs().max() <= 3**0.5
    assert drawn.var() == pytest.approx(1.0, abs=0.03)


def test_marginal_draws_come_from_the_same_column():
    rows = torch.arange(5.0).repeat(100, 1)
    mask = torch.ones_like(rows, dtype=torch.bool)
    assert torch.equal(views.marginal(rows, mask, torch_generator(4, "m")), rows)


def test_shuffle_moves_values_within_the_row_by_one_permutation():
    rows = torch.arange(12.0).repeat(3, 1) + 100 * torch.arange(3.0)[:, None]
    mask = torch.ones_like(rows, dtype=torch.bool)
    moved = views.shuffle(rows, mask, torch_generator(5, "s"))
    assert torch.equal(moved.sort(dim=1).values, rows)
    assert torch.equal(moved[0] + 100, moved[1])


def test_mixup_lies_between_and_cutmix_takes_one_of_the_two():
    rows = torch.tensor([[0.0] * 200, [1.0] * 200])
    mask = torch.ones_like(rows, dtype=torch.bool)
    g = torch_generator(0, "mix")
    blended = views.mix(rows, mask, g, p_mixup=1.0, ratio=0.5)
    assert set(blended.unique().tolist()) <= {0.0, 0.5, 1.0}
    pasted = views.mix(rows, mask, g, p_mixup=0.0, ratio=0.5)
    assert set(pasted.unique().tolist()) <= {0.0, 1.0}
