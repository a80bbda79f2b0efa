"""Views that are dear to make, made once."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.seeds import torch_generator

Make = Callable[[Int[Tensor, " b"], torch.Generator], Float[Tensor, "b ..."]]
"""Row numbers and a generator in, a view of each row out."""
CHUNK = 64


class ViewCache:
    """A few views of every row, in 16 bits, to draw from.

    View v of a row depends on the seed, v and the row's chunk of `CHUNK` rows alone: the same cache
    comes from the same seed, also when a run goes on after an interruption. Memory is rows times
    `views` times the size of a view, and never more than ``room`` bytes.

    Args:
        make: makes the views.
        rows: how many there are.
        wanted: views a row, fewer where there is no room for them.
        room: bytes.
        seed: of the run.
    """

    def __init__(self, make: Make, rows: int, *, wanted: int, room: int, seed: int) -> None:
        one = make(torch.arange(1), torch_generator(seed, "view size"))[0]
        self.views = min(wanted, room // (2 * one.numel() * rows))
        if self.views < 2:
            self.views = 0
        self.kept = torch.empty((self.views, rows, *one.shape), dtype=torch.float16)
        for view in range(self.views):
            for number, part in enumerate(torch.arange(rows).split(CHUNK)):
                generator = torch_generator(seed, "cached view", view, number)
                self.kept[view, part] = make(part, generator).half()

    def draw(
        self, rows: Int[Tensor, " b"], count: int, generator: torch.Generator
    ) -> list[Float[Tensor, "b ..."]]:
        """``count`` views of each row, different ones as long as there are enough."""
        chance = torch.rand((self.views, len(rows)), generator=generator, device=generator.device)
        order = chance.argsort(0).cpu()
        drawn = [self.kept[order[i % self.views], rows.cpu()] for i in range(count)]
        return [each.to(generator.device).float() for each in drawn]
