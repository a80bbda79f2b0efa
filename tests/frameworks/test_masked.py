"""Masked autoencoding of tokens: what is hidden stays hidden, what is visible keeps its place."""

import torch

from contraview.frameworks.masked import MaskedDecoder
from contraview.networks.fresh import fresh
from contraview.networks.transformer import Transformer
from contraview.pairing.masks import put_back

HIDDEN = torch.tensor([[True, False, False, True], [False, True, True, False]])


def test_hidden_places_begin_alike_and_are_told_apart_by_where_they_lie():
    make = lambda: MaskedDecoder(Transformer(8, depth=1, heads=2), 8)  # noqa: E731
    decoder = fresh(make, 0, "decoder").eval()
    visible, places = torch.randn(2, 2, 8), torch.randn(2, 4, 8)
    decoded = decoder(visible, HIDDEN, places)
    by_hand = decoder.decoder(put_back(visible, HIDDEN, decoder.token), places=places)
    torch.testing.assert_close(decoded, by_hand)
    assert not torch.allclose(decoded[0, 0], decoded[0, 3])
    same = decoder(visible, HIDDEN, torch.zeros(2, 4, 8))
    torch.testing.assert_close(same[0, 0], same[0, 3])
