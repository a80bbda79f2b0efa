"""Views of captions: words swapped, left out or repeated, a batch of tokens at a time.

EDA (Wei and Zou 2019, arXiv 1901.11196) has four operations: synonym replacement, random insertion
of a synonym, random swap, random deletion. Without a thesaurus there are no synonyms: the insertion
repeats one of the caption's own words, and nothing is replaced.
"""

import torch
from jaxtyping import Int64
from torch import Tensor


def eda(
    tokens: Int64[Tensor, "n w g"], generator: torch.Generator, *, share: float = 0.1
) -> Int64[Tensor, "n v g"]:
    """A view of each caption: by one of the three operations, drawn for each.

    Args:
        tokens: as `contraview.modalities.images.captions.tokens` gives them.
        generator: of all draws.
        share: of the words that are touched, at least one; 0 changes nothing. A caption of fewer
            than two words stays as it is, and deletion always leaves a word.
    """
    if not share:
        return tokens
    n, width, _ = tokens.shape
    device = tokens.device

    def draw() -> Tensor:
        return torch.rand(n, width, generator=generator, device=generator.device).to(device)

    real = (tokens > 0).any(2)
    count = real.sum(1)
    touched = (share * count).round().long().clamp(min=1)
    choice = draw()[:, 0]
    able = count >= 2
    # Each word has a place; operations change places, add words or send them to the end.
    place = torch.arange(width, device=device).float().expand(n, width).clone()
    order = torch.where(real, draw(), 2.0).argsort(1)  # the real words in random order, then none
    chosen = torch.zeros_like(real).scatter(
        1, order, torch.arange(width, device=device) < touched[:, None]
    )

    swap = able & (choice < 1 / 3)
    first, second = order[:, :1], order[:, min(1, width - 1) : min(1, width - 1) + 1]
    swapped = place.scatter(1, first, place.gather(1, second))
    swapped = swapped.scatter(1, second, place.gather(1, first))
    place = torch.where(swap[:, None], swapped, place)

    delete = able & (choice >= 1 / 3) & (choice < 2 / 3)
    gone = chosen & delete[:, None] & (touched < count)[:, None]
    place = torch.where(gone | ~real, float("inf"), place)

    insert = able & (choice >= 2 / 3)
    copied = chosen & insert[:, None]
    spot = torch.where(copied, draw() * count[:, None], float("inf"))

    everything = torch.cat([tokens, tokens], 1)
    places = torch.cat([place, spot], 1)
    nowhere = places.isinf()
    everything = everything.masked_fill(nowhere[:, :, None], 0)
    ordered = places.argsort(dim=1, stable=True)
    view = everything.gather(1, ordered[:, :, None].expand_as(everything))
    longest = int((~nowhere).sum(1).max())
    return view[:, : max(longest, 1)]
