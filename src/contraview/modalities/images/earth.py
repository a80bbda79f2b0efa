"""A small real scene from a satellite, as tiles with labels: an example, not a benchmark."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.modalities.images.bands import Bands

COVERS: Final = ("vegetation", "sparse", "bare", "water")
LEAST: Final = 0.1
"""A tile has a cover where this share of its pixels has it."""


def sentinel_tiles(path: Path | str, side: int = 16) -> Bands:
    """Tiles of the data set ``sentinel2_chip``, with rough land cover as labels.

    Labels come from indices of all four bands: water where (green - infrared) / (green + infrared)
    is above 0; else by (infrared - red) / (infrared + red), vegetation above .4, sparse above .2,
    bare below. A tile has every cover of a tenth of its pixels. The tiles themselves hold blue,
    green and red alone, so that labels are no function of them.

    The table has ``y``, ``x``, ``cover`` (several parted by semicolons) and ``half``: west, east,
    or gap for the column of tiles between, so that a model is judged on ground it has not seen.

    Args:
        path: ``S2_10m.json``, from ``dataset("sentinel2_chip")``.
        side: of the tiles in pixels of 10 m.

    Raises:
        InputError: not that file, or a side that does not fit.
    """
    try:
        chip = np.array(json.loads(Path(path).read_text()), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as bands in JSON: {error}") from None
    if chip.ndim != 3 or len(chip) != 4 or not 4 <= side <= min(chip.shape[1:]) // 3:
        raise InputError(
            f"{path}: {list(chip.shape)} numbers, tiles of {side}; expected 4 bands, and a side "
            "that fits three times"
        )
    rows, columns = (length // side for length in chip.shape[1:])
    tiles = _tiles(chip[:, : rows * side, : columns * side], side)
    _, green, red, infrared = tiles.transpose(1, 0, 2, 3)
    wet = (green - infrared) / (green + infrared) > 0
    green_leaf = (infrared - red) / (infrared + red)
    shares = [
        (~wet & (green_leaf > 0.4)).mean((1, 2)),
        (~wet & (green_leaf <= 0.4) & (green_leaf > 0.2)).mean((1, 2)),
        (~wet & (green_leaf <= 0.2)).mean((1, 2)),
        wet.mean((1, 2)),
    ]
    covers = np.stack(shares, 1) >= LEAST
    y, x = np.divmod(np.arange(len(tiles)), columns)
    table: dict[str, Any] = {
        "y": y * side,
        "x": x * side,
        "cover": [";".join(np.array(COVERS)[row]) for row in covers],
        "half": np.select([x < columns // 2, x > columns // 2], ["west", "east"], "gap"),
    }
    return Bands(tiles[:, :3].astype(np.uint16), pl.DataFrame(table), label="cover")


def _tiles(chip: Float[np.ndarray, "c h w"], side: int) -> Float[np.ndarray, "n c s s"]:
    count, height, width = chip.shape
    squares = chip.reshape(count, height // side, side, width // side, side)
    return squares.transpose(1, 3, 0, 2, 4).reshape(-1, count, side, side)
