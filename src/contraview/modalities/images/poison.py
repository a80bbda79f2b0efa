"""Poisoned pairs, to test defences with: a trigger in the image, another caption beside it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
import torch

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.images.captions import captions_of
from contraview.modalities.images.data import Images
from contraview.modalities.images.triggers import Trigger

POISONED: Final = "poisoned"
"""The column that keeps the truth."""


def marked(images: Images, trigger: Trigger, seed: int) -> Images:
    """The images, each with the trigger."""
    if not len(images):
        return images
    generator = torch_generator(seed, "trigger")
    pixels = np.concatenate(
        [
            (trigger(images.batch(rows), generator) * 255).round().byte().numpy()
            for rows in torch.arange(len(images)).split(512)
        ]
    )
    return replace(images, pixels=pixels)


def poisoned(
    pairs: Images,
    *,
    target: str,
    count: int,
    trigger: Trigger,
    templates: Sequence[str],
    seed: int,
    consistent: bool = False,
) -> Images:
    """The pairs with ``count`` of them poisoned: trigger in the image, target in the caption.

    Args:
        pairs: images with captions.
        target: what the trigger is to stand for.
        count: pairs to poison, drawn without replacement.
        trigger: the mark.
        templates: sentences with ``{}`` for the target, one drawn for each poisoned caption.
        seed: of all draws.
        consistent: mark only images whose caption holds the target already, and keep their
            captions: nothing that a reader could see is wrong.

    Returns:
        The pairs in their order, with the column ``poisoned``.
    """
    captions = np.array(captions_of(pairs), dtype=object)
    generator = numpy_generator(seed, "poison")
    holds = np.array([target.lower() in caption.lower() for caption in captions], dtype=bool)
    pool = np.flatnonzero(holds if consistent else ~holds)
    if not 1 <= count <= len(pool):
        raise InputError(
            f"{count} pairs to poison of {len(pool)} that can be; expected 1 to {len(pool)}"
        )
    rows = np.sort(generator.choice(pool, count, replace=False))
    pixels = pairs.pixels.copy()
    pixels[rows] = marked(pairs.take(rows), trigger, seed).pixels
    if not consistent:
        for row in rows:
            captions[row] = templates[int(generator.integers(len(templates)))].format(target)
    truth = np.isin(np.arange(len(pairs)), rows)
    table = pairs.table.with_columns(
        pl.Series(str(pairs.caption), captions.tolist(), dtype=pl.String),
        pl.Series(POISONED, truth),
    )
    return replace(pairs, pixels=pixels, table=table)
