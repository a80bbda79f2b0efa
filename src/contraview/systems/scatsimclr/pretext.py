"""What is asked beside the contrast: which turn a view has, or which order its tiles are in."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.frameworks.images.two_views import Pair, Term
from contraview.systems.scatsimclr.config import ScatSimCLRConfig
from contraview.systems.scatsimclr.network import Adapter
from contraview.systems.scatsimclr.scattering import Scattering

SIDE: Final = 3
"""Tiles a side."""
ORDERS: Final = 35
DROPPED: Final = 0.5

DrawViews = Callable[[Int[Tensor, " b"], int, torch.Generator], list[Float[Tensor, "b m y x"]]]
"""Row numbers, how many views of each, a generator; the views' scattering maps."""


class Pretext(Term):
    """Cross entropy of a small classifier on embeddings; lambda is 0 at first.

    Args:
        adapter: makes the embeddings; it is the contrast's and is trained with it.
        config: of the system.
    """

    done: Tensor

    def __init__(self, adapter: Adapter, config: ScatSimCLRConfig) -> None:
        super().__init__()
        self.name = config.pretext
        self._adapter = (adapter,)  # in a tuple: its weights are counted where they belong
        self._counts, self._start = config.pretext_weight, config.pretext_after * config.steps
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))

    @property
    def weight(self) -> float:
        """Lambda at this step."""
        return self._counts if int(self.done) >= self._start else 0.0

    def follow(self, done: int) -> None:
        """Remember how far the training is."""
        self.done.fill_(done)

    def forward(
        self,
        pairs: list[Pair],  # noqa: ARG002
        *inputs: Shaped[Tensor, "..."],
    ) -> Float[Tensor, ""]:
        """Cross entropy over the classes."""
        maps, classes = inputs
        return cross_entropy(self.scores(self._adapter[0](maps)), classes)

    @abstractmethod
    def scores(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "m k"]:
        """The classifier's scores."""


class Rotation(Pretext):
    """Which quarter turn a view has; each image of a batch is shown in all four, each in a view of
    its own.

    The maps of the upright view are turned, which is the same as the maps of the turned view.
    """

    def __init__(
        self, adapter: Adapter, scatter: Scattering, draw: DrawViews, config: ScatSimCLRConfig
    ) -> None:
        super().__init__(adapter, config)
        if scatter.size[0] != scatter.size[1]:
            raise InputError("rotation: images are not square; bring them to squares with --size")
        self._draw, self._turned = draw, scatter.turned
        first, second = config.pretext_widths
        self.head = nn.Sequential(
            *_layer(adapter.outputs, first), *_layer(first, second), nn.Linear(second, 4)
        )

    def inputs(
        self, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> tuple[Shaped[Tensor, "..."], ...]:
        """The maps of four views of each image, turned, and by how many quarters."""
        views = self._draw(rows, 4, generator)
        maps = torch.cat([self._turned(view, k) for k, view in enumerate(views)])
        return maps, torch.arange(4, device=maps.device).repeat_interleave(len(rows))

    def scores(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n 4"]:
        """A score for each turn."""
        return self.head(vectors)


class Jigsaw(Pretext):
    """Which of 35 fixed orders the nine tiles of an image are in.

    A tile is a square from a random place in its third of the image, so that edges do not give the
    order away, and goes through scattering and adapter alone.
    """

    def __init__(
        self,
        adapter: Adapter,
        pixels_of: Callable[[Int[Tensor, " b"], torch.Generator], Float[Tensor, "b c h w"]],
        shape: tuple[int, int, int],
        config: ScatSimCLRConfig,
    ) -> None:
        super().__init__(adapter, config)
        block = 2**config.scales
        self.cell = shape[1] // SIDE, shape[2] // SIDE
        self.tile = min(self.cell) // block * block
        if self.tile <= block:
            raise InputError(
                f"jigsaw: images of {shape[2]} x {shape[1]} pixels give tiles of {self.tile}; "
                f"expected images of {SIDE * 2 * block} or more"
            )
        self.scatter = Scattering(self.tile, self.tile, scales=config.scales, turns=config.turns)
        self._pixels_of = pixels_of
        self.register_buffer("orders", torch.from_numpy(orders()), persistent=False)
        first, second = config.pretext_widths
        self.each = nn.Sequential(*_layer(adapter.outputs, first))
        self.all = nn.Sequential(*_layer(SIDE**2 * first, second), nn.Linear(second, ORDERS))

    def inputs(
        self, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> tuple[Shaped[Tensor, "..."], ...]:
        """The maps of each image's tiles in some order, and the number of the order."""
        pixels = self._pixels_of(rows, generator)
        tiles = self.tiles(pixels, generator)
        drawn = torch.randint(ORDERS, (len(rows),), generator=generator, device=pixels.device)
        order = self.get_buffer("orders")[drawn.to(self.get_buffer("orders").device)]
        shuffled = tiles[torch.arange(len(tiles))[:, None], order.to(tiles.device)]
        return self.scatter(shuffled.flatten(0, 1)), drawn

    def tiles(
        self, pixels: Float[Tensor, "b c h w"], generator: torch.Generator
    ) -> Float[Tensor, "b 9 c t t"]:
        """The nine tiles of each image, row by row."""
        room = [cell - self.tile + 1 for cell in self.cell]
        shape = (SIDE**2, 2)
        drawn = torch.rand(shape, generator=generator, device=generator.device).cpu()
        found = []
        for number in range(SIDE**2):
            row, column = divmod(number, SIDE)
            top = row * self.cell[0] + int(drawn[number, 0] * room[0])
            left = column * self.cell[1] + int(drawn[number, 1] * room[1])
            found.append(pixels[:, :, top : top + self.tile, left : left + self.tile])
        return torch.stack(found, 1)

    def scores(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "m 35"]:
        """A score for each order."""
        return self.all(self.each(vectors).unflatten(0, (-1, SIDE**2)).flatten(1))


def orders(candidates: int = 5000) -> Int[np.ndarray, "35 9"]:
    """35 orders of nine tiles, each as unlike the others as it can be: the same ones always.

    Of random candidates the one whose least distance (places that differ) to those chosen is
    largest comes next, as Noroozi and Favaro 2016, arXiv 1603.09246, do over all of them.
    """
    generator = numpy_generator(0, "jigsaw orders")
    drawn = np.stack([generator.permutation(SIDE**2) for _ in range(candidates)])
    chosen, nearest = [0], np.full(candidates, SIDE**2)
    for _ in range(ORDERS - 1):
        nearest = np.minimum(nearest, (drawn != drawn[chosen[-1]]).sum(1))
        chosen.append(int(nearest.argmax()))
    return drawn[chosen]


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(DROPPED)]
