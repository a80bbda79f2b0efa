"""Masked autoencoding of tokens: the encoder sees the visible ones, a decoder tells the rest."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from contraview.networks.transformer import Transformer
from contraview.pairing.masks import put_back


class MaskedDecoder(nn.Module):
    """A transformer over all places, where the hidden ones begin as one learnt token.

    MAE, He et al. 2022, arXiv:2111.06377. The head on the hidden tokens, and what they are
    compared with, are the caller's.

    Args:
        decoder: as wide as the encoder's tokens.
        width: of a token.
    """

    def __init__(self, decoder: Transformer, width: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.token, std=0.02)

    def forward(
        self,
        visible: Float[Tensor, "n v d"],
        hidden: Bool[Tensor, "n p"],
        places: Float[Tensor, "n p d"],
    ) -> Float[Tensor, "n p d"]:
        """Every place in context, in order; `taken` with ``hidden`` picks what is to be judged.

        Args:
            visible: encoded tokens of the places that are not hidden, in order.
            hidden: the mask that chose them, with the same number of True in each row.
            places: what tells the decoder where each token lies.
        """
        return self.decoder(put_back(visible, hidden, self.token), places=places)
