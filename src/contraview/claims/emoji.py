"""Emoji as a data set of pictures: the base concepts of a vendor, small, with their kinds."""

import numpy as np
import polars as pl

from contraview.claims.results import Data
from contraview.modalities.datasets import dataset
from contraview.modalities.images.data import Images
from contraview.modalities.images.emoji import read_emoji

VENDORS = ("emoji_google", "emoji_twitter")


def emoji_data() -> list[Data]:
    """Names and fingerprints of both vendors' sheets."""
    return [
        Data(name=name, real=True, fingerprint=read_emoji(dataset(name)).fingerprint())
        for name in VENDORS
    ]


def base_emoji(vendor: str, side: int) -> Images:
    """The base concepts, without skin tones, as ``vendor`` draws them; the mean of pixel blocks."""
    emoji = read_emoji(dataset(vendor))
    emoji = emoji.take(np.flatnonzero(emoji.texts("base_unified") == ""))
    n, channels, height, width = emoji.pixels.shape
    step = height // side
    blocks = emoji.pixels.reshape(n, channels, height // step, step, width // step, step)
    return Images(blocks.mean((3, 5)).round().astype(np.uint8), emoji.table, label="subcategory")


def both_vendors(side: int) -> Images:
    """The base concepts of both, one vendor after the other; ``unified`` names the concept."""
    one, other = (base_emoji(vendor, side) for vendor in VENDORS)
    return Images(
        np.concatenate([one.pixels, other.pixels]),
        pl.concat([one.table, other.table]),
        label="subcategory",
    )
