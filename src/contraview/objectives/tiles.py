"""All pairs of two sets of vectors, a cache-sized tile at a time: never the n x m matrix."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

CPU_TILE = 256  # 256 x 256 in float32 is 256 KiB: the tile stays in a core's second-level cache
ACCELERATOR_TILE = 4096  # 64 MiB: large enough that launching kernels costs nothing


class Tile(NamedTuple):
    """Block `row` of the queries against block `column` of the keys.

    A mirrored tile stands for its transpose too, which is never visited.
    """

    row: int
    column: int
    mirrored: bool


class Pairs:
    """The inner products of n queries with m keys, walked in tiles.

    Args:
        queries: [n, d].
        keys: [m, d]; None pairs the queries with themselves. The products are then symmetric and
            only the upper triangle of tiles is visited: half the work.
    """

    def __init__(self, queries: Float[Tensor, "n d"], keys: Float[Tensor, "m d"] | None) -> None:
        self.triangle = keys is None
        self.size = CPU_TILE if queries.device.type == "cpu" else ACCELERATOR_TILE
        self.queries = queries
        self.keys = queries if keys is None else keys
        self.query_blocks = queries.split(self.size)
        self.key_blocks = self.keys.split(self.size)
        self._scratch = queries.new_empty(
            min(self.size, len(self.queries)) * min(self.size, len(self.keys))
        )

    def tiles(self) -> Iterator[Tile]:
        """Every tile once, row by row."""
        for row in range(len(self.query_blocks)):
            for column in range(row if self.triangle else 0, len(self.key_blocks)):
                yield Tile(row, column, self.triangle and column > row)

    def products(self, tile: Tile, scale: float = 1.0) -> Float[Tensor, "rows columns"]:
        """The tile's inner products times `scale`, the caller's to overwrite until the next."""
        queries, keys = self.query_blocks[tile.row], self.key_blocks[tile.column]
        out = self._scratch[: len(queries) * len(keys)].view(len(queries), len(keys))
        return torch.addmm(out, queries, keys.mT, beta=0, alpha=scale, out=out)


class Gradient:
    """Carries slopes of products, tile by tile, back to the vectors.

    Args:
        pairs: what the slopes belong to.
        to_keys: False where the keys need no gradient (a queue, a teacher): saves a third.
    """

    def __init__(self, pairs: Pairs, *, to_keys: bool = True) -> None:
        self.pairs = pairs
        self.of_queries = torch.zeros_like(pairs.queries)
        self.of_keys = None
        if not pairs.triangle and to_keys:
            self.of_keys = torch.zeros_like(pairs.keys)
        self._query_blocks = self.of_queries.split(pairs.size)
        self._key_blocks = self._query_blocks if pairs.triangle else ()
        if self.of_keys is not None:
            self._key_blocks = self.of_keys.split(pairs.size)

    def add(self, tile: Tile, slope: Float[Tensor, "rows columns"]) -> None:
        """Add one tile: `slope` is the derivative by each product, in a triangle of both orders."""
        self._query_blocks[tile.row].addmm_(slope, self.pairs.key_blocks[tile.column])
        # A triangle's tile on the diagonal holds both (i, j) and (j, i): one product serves both.
        if tile.mirrored or self.of_keys is not None:
            self._key_blocks[tile.column].addmm_(slope.mT, self.pairs.query_blocks[tile.row])
