"""Networks that read token numbers: text, addresses, DNA. Number 0 is padding, always."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from contraview.networks.transformer import Pooling, Transformer, pooled, sinusoidal

PADDING = 0
"""The token that fills a row up; it is not attended to."""
Positions = Literal["learnt", "sinusoidal"]
GROUPS = 4
"""A batch is read in this many parts of similar length, each padded to its own longest row."""


class TokenEncoder(nn.Module):
    """Token and position vectors, then a transformer.

    Args:
        vocabulary: how many tokens there are, padding included.
        length: the most tokens a row can have.
        width: of a token.
        depth: transformer blocks.
        heads: attention heads; they divide ``width``.
        hidden: width of the perceptrons; four times ``width`` by default.
        dropout: on the token vectors and in the blocks.
        drophead: chance that an attention head is left out of a pass.
        positions: position vectors that are learnt, as BERT's, or fixed.
        place: how long a position vector is to begin with; a token's has length 1.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        length: int,
        width: int,
        depth: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        drophead: float = 0.0,
        positions: Positions = "learnt",
        place: float = 1.0,
    ) -> None:
        super().__init__()
        self.length, self.width = length, width
        self.tokens = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.tokens.weight, std=width**-0.5)
        if positions == "learnt":
            self.positions = nn.Parameter(torch.randn(length, width) * place * width**-0.5)
        else:
            places = sinusoidal(length, width) * place * (2 / width) ** 0.5
            self.register_buffer("positions", places, persistent=False)
        self.drop = nn.Dropout(dropout)
        self.transformer = Transformer(
            width, depth=depth, heads=heads, hidden=hidden, dropout=dropout, drophead=drophead
        )

    def forward(self, ids: Int[Tensor, "n t"]) -> Float[Tensor, "n t d"]:
        """The tokens in context."""
        tokens = self.tokens(ids) + self.positions[: ids.shape[1]]
        return self.transformer(self.drop(tokens), ids != PADDING)


class PooledTokens(nn.Module):
    """One vector a row of tokens, from a `TokenEncoder`.

    Args:
        encoder: what reads the tokens.
        pooling: see `contraview.networks.transformer.pooled`. For ``padded_mean`` the rows have to
            be as wide as is meant: padding counts.
    """

    def __init__(self, encoder: TokenEncoder, pooling: Pooling) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling: Pooling = pooling

    def forward(self, ids: Int[Tensor, "n t"]) -> Float[Tensor, "n d"]:
        """The vectors, not normalised.

        Padding changes no vector (but under ``padded_mean``), so rows of similar length are read
        together: on sentences that is about half the work.
        """
        if self.pooling == "padded_mean" or not len(ids):
            return self._pooled(ids)
        lengths = (ids != PADDING).sum(1)
        order = lengths.argsort(stable=True)
        vectors = [
            self._pooled(ids[part, : max(int(lengths[part[-1]]), 1)])
            for part in order.chunk(GROUPS)
        ]
        return torch.cat(vectors)[order.argsort()]

    def _pooled(self, ids: Int[Tensor, "n t"]) -> Float[Tensor, "n d"]:
        return pooled(self.encoder(ids), ids != PADDING, self.pooling)


class MaskedLanguageModel(nn.Module):
    """A `TokenEncoder` that says which token stands at a place, from the token vectors themselves.

    As in BERT (Devlin et al. 2019, arXiv 1810.04805): a layer, GELU, a normalisation, then the
    product with each token's input vector plus a bias.
    """

    def __init__(self, encoder: TokenEncoder) -> None:
        super().__init__()
        width = encoder.width
        self.encoder = encoder
        self.dense, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(encoder.tokens.num_embeddings))

    def forward(self, ids: Int[Tensor, "n t"], places: Bool[Tensor, "n t"]) -> Float[Tensor, "m v"]:
        """The logits of every token at each of the m ``places``, row by row."""
        hidden = self.norm(gelu(self.dense(self.encoder(ids)[places])))
        return linear(hidden, self.encoder.tokens.weight, self.bias)
