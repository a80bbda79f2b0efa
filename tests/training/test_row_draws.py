"""Draws of a row do not depend on how many processes share the batch."""

import torch

from contraview.modalities.images.views import ViewConfig
from contraview.training.row_draws import LARGEST, RowDraws


def halves(draw):
    """What two processes draw for 6 rows, and what one does."""
    found = []
    for rank in range(2):
        shared = torch.Generator().manual_seed(5)
        own = torch.Generator().manual_seed(100 + rank)
        with RowDraws(shared, own, first=3 * rank, rows=3, batch=6):
            found.append(draw(3, shared))
    return found, draw(6, torch.Generator().manual_seed(5))


def test_a_draw_for_each_row_is_cut_out_of_the_whole_batchs():
    for draw in (
        lambda n, g: torch.rand(n, generator=g),
        lambda n, g: torch.rand((n, 4), generator=g),
        lambda n, g: torch.randn(n, 2, 5, generator=g),
        lambda n, g: torch.randn(size=(n, 2), generator=g),
        lambda n, g: torch.randint(9, (n,), generator=g),
        lambda n, g: torch.randint(2, 9, (n, 4), generator=g),
        lambda n, g: torch.rand(torch.Size([n, 2]), generator=g, dtype=torch.float64),
    ):
        parts, whole = halves(draw)
        assert torch.equal(torch.cat(parts), whole)


def test_rows_may_be_the_second_dimension_or_views_may_lie_below_each_other():
    parts, whole = halves(lambda n, g: torch.rand(2, n, 4, generator=g))
    assert torch.equal(torch.cat(parts, 1), whole)
    parts, whole = halves(lambda n, g: torch.rand(4 * n, 4, generator=g))
    assert torch.equal(torch.cat([each.view(4, 3, 4) for each in parts], 1).flatten(0, 1), whole)


def test_rows_may_come_in_pairs_with_one_draw_for_both():
    found = []
    for rank in range(2):
        shared, own = torch.Generator().manual_seed(5), torch.Generator()
        with RowDraws(shared, own, first=4 * rank, rows=4, batch=8):
            found.append(torch.rand(2, 3, generator=shared))
    expected = torch.rand(4, 3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.cat(found), expected)


def test_draws_after_each_other_stay_in_step():
    def draw(n, generator):
        one = torch.rand(n, generator=generator)
        torch.rand((), generator=generator, device="cpu") if n == 3 else None
        return torch.stack([one, torch.randn(n, generator=generator)], 1)

    parts, whole = halves(draw)
    assert torch.equal(torch.cat(parts), whole)


def test_what_is_not_of_the_rows_is_each_processs_own():
    for draw in (
        lambda n, g: torch.rand(5, generator=g),
        lambda n, g: torch.rand((), generator=g),
        lambda n, g: torch.randint(1000, (7,), generator=g),
        lambda n, g: torch.randperm(40, generator=g),
        lambda n, g: torch.rand(n, LARGEST // 6 + 1, generator=g),
    ):
        parts, _ = halves(draw)
        assert not torch.equal(*parts)


def test_other_generators_and_draws_from_torchs_own_stay_as_they_are():
    other = torch.Generator().manual_seed(1)
    parts, _ = halves(lambda n, g: torch.rand(n, generator=other.manual_seed(1)))
    assert torch.equal(*parts)
    parts, _ = halves(lambda n, g: (torch.manual_seed(2), torch.rand(n))[1])
    assert torch.equal(*parts)


def test_the_views_of_images_are_those_of_one_process():
    pixels = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    view = ViewConfig.of(rotate=20.0)
    found = []
    for rank in range(2):
        shared, own = torch.Generator().manual_seed(5), torch.Generator()
        with RowDraws(shared, own, first=3 * rank, rows=3, batch=6):
            found.append(view(pixels[3 * rank :][:3], shared))
    expected = view(pixels, torch.Generator().manual_seed(5))
    torch.testing.assert_close(torch.cat(found), expected, rtol=0, atol=1e-6)
