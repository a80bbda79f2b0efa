"""The page on performance states what was last measured; peers compute what they are said to."""

import torch
from benchmarks.clan import plain_loss
from benchmarks.page import PAGE, page
from torch.nn.functional import normalize

from contraview.objectives import clan_loss


def test_the_tables_are_those_of_the_results():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_clan_in_plain_torch_is_clan():
    generator = torch.Generator().manual_seed(0)
    benign, corrupted = (normalize(torch.randn(50, 8, generator=generator)) for _ in range(2))
    expected = clan_loss(benign, corrupted, margin=0.5, balance=0.3)
    torch.testing.assert_close(plain_loss(benign, corrupted, 0.5, 0.3), expected)
