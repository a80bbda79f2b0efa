"""Views of strings."""

from collections.abc import Sequence

import torch


def span_mask(
    strings: Sequence[str], generator: torch.Generator, *, span: int, least: int, mask: str
) -> list[str]:
    """Replace a random run of characters of each string by the mask token.

    Mirror-BERT, arXiv 2104.08027, section 2.1: ``span`` is its k. The run is where it was drawn;
    the official code draws a run and then replaces the first place in the string that reads alike.

    Args:
        strings: to alter; the originals stay as they are.
        generator: where the runs are drawn from.
        span: characters replaced; 0 alters nothing.
        least: strings of fewer characters are left alone.
        mask: what stands in place of the run, between spaces.
    """
    draws = torch.rand(len(strings), generator=generator, device=generator.device).tolist()
    altered = []
    for each, draw in zip(strings, draws, strict=True):
        if span == 0 or len(each) < max(least, span):
            altered.append(each)
            continue
        start = int(draw * (len(each) - span + 1))
        altered.append(f"{each[:start]} {mask} {each[start + span :]}")
    return altered
