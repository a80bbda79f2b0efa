import math

import pytest
import torch
from torch.nn.functional import normalize

from contraview.training.collapse import (
    SAMPLE,
    CollapseWatch,
    alignment,
    effective_rank,
    spread,
    uniformity,
)


def test_effective_rank_of_known_singular_values():
    assert effective_rank(torch.eye(5)) == pytest.approx(5)
    assert effective_rank(torch.ones(7, 3)) == pytest.approx(1, abs=1e-3)
    # shares 3/4 and 1/4: entropy 3/4 ln(4/3) + 1/4 ln 4
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(math.exp(entropy))
    assert effective_rank(torch.zeros(4, 2)) == 0


def test_spread_is_one_on_the_sphere_and_zero_at_a_point():
    # the four unit rows +-e1, +-e2 times any length: each dimension has variance 1/2
    rows = torch.tensor([[2.0, 0.0], [-5.0, 0.0], [0.0, 1.0], [0.0, -0.1]])
    assert spread(rows) == pytest.approx(1)
    assert spread(torch.ones(4, 2)) == pytest.approx(0)


def test_alignment_and_uniformity_of_known_angles():
    rows = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    assert alignment(rows, rows * 7) == pytest.approx(0)
    assert alignment(rows, rows.flip(0)) == pytest.approx(2)
    assert alignment(rows, -rows) == pytest.approx(4)
    assert uniformity(rows) == pytest.approx(-4)  # one pair, squared distance 2
    assert uniformity(torch.tensor([[1.0, 0.0], [-9.0, 0.0]])) == pytest.approx(-8)
    three = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])  # distances 4, 0, 4
    assert uniformity(three) == pytest.approx(math.log((2 * math.exp(-8) + 1) / 3))


def test_figures_are_of_the_first_rows_only():
    rows = torch.randn(SAMPLE + 50, 6, generator=torch.Generator().manual_seed(0))
    altered = rows.clone()
    altered[SAMPLE:] = 1e6
    look = CollapseWatch().look
    assert look(rows, rows) == look(altered, altered)
    assert look(rows, rows)["effective_rank"] == effective_rank(rows[:SAMPLE])
    assert "alignment" not in look(rows)


def test_warns_once_when_the_rank_falls_below_two():
    healthy = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    watch = CollapseWatch()
    assert watch.warning(watch.look(healthy)) is None
    message = watch.warning(watch.look(torch.ones(64, 8)))
    assert message is not None
    assert "effective rank 1.0 of 8" in message
    assert watch.warning(watch.look(torch.ones(64, 8))) is None


def test_warns_when_the_rank_falls_to_a_quarter():
    generator = torch.Generator().manual_seed(0)
    wide = normalize(torch.randn(256, 64, generator=generator))
    narrow = torch.randn(256, 6, generator=generator) @ torch.randn(6, 64, generator=generator)
    fresh, watch = CollapseWatch(), CollapseWatch()
    assert fresh.warning(fresh.look(narrow)) is None  # six directions are fine by themselves
    assert watch.warning(watch.look(wide)) is None
    assert watch.warning(watch.look(narrow)) is not None


def test_few_dimensions_are_no_collapse():
    watch = CollapseWatch()
    assert watch.warning(watch.look(torch.ones(8, 2))) is None
