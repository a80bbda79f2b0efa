"""Encoders of tokens as graphs: token numbers in, vectors out; splitting texts stays outside."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.graph import Graph, Port
from contraview.networks.tokens import PADDING, PooledTokens
from contraview.networks.transformer import Pooling, pooled
from contraview.objectives.unit import unit


class Pooled(nn.Module):
    """`PooledTokens` over a batch as it is, of unit length where that is asked for."""

    def __init__(self, tokens: PooledTokens, *, to_unit: bool) -> None:
        super().__init__()
        self.encoder, self.to_unit = deepcopy(tokens.encoder).cpu(), to_unit
        self.pooling: Pooling = tokens.pooling
        self.eval()

    def forward(self, ids: Int[Tensor, "n t"]) -> tuple[Float[Tensor, "n d"]]:
        """One vector a row."""
        vectors = pooled(self.encoder(ids), ids != PADDING, self.pooling)
        return (unit(vectors) if self.to_unit else vectors,)


def token_graph(
    tokens: PooledTokens,
    length: int,
    encode: Callable[[Any], Int[Tensor, "n _"]],
    held: Callable[[int, int], Any],
    facts: Mapping[str, Any],
    *,
    to_unit: bool,
) -> Graph:
    """The graph of an encoder of rows of ``length`` tokens.

    Args:
        tokens: the encoder and its pooling.
        length: of every row that goes in; shorter ones are padded.
        encode: from data to token numbers, padded to the longest row or further.
        held: items to compare on.
        facts: how to split into tokens.
        to_unit: vectors have length 1.
    """

    def feed(data: Any) -> Mapping[str, Any]:
        rows = encode(data)
        filled = torch.zeros(rows.shape[0], length, dtype=torch.int64)
        filled[:, : rows.shape[1]] = rows
        return {"tokens": filled.numpy()}

    told = f"token numbers, {PADDING} after the last one; see the metadata for the tokeniser"
    meaning = "one vector an item, " + ("of length 1" if to_unit else "not normalised")
    return Graph(
        network=Pooled(tokens, to_unit=to_unit),
        inputs=(Port("tokens", "int64", ("n", length), told),),
        outputs={"embed": Port("embedding", "float32", ("n", tokens.encoder.width), meaning)},
        feed=feed,
        held=held,
        facts=facts,
    )
