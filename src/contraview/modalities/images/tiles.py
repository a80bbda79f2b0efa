"""Large images cut into tiles."""

from typing import Any

import numpy as np
import polars as pl
from PIL import Image
from pydantic import Field

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images, ImageSource
from contraview.modalities.images.files import Frame
from contraview.modalities.images.intake import with_channels


class TileSource(ImageSource):
    """How images, or the tiles of large images, are read."""

    tile: int | None = Field(
        None,
        ge=4,
        description="cut each image into squares of so many pixels a side, which --size then "
        "brings to theirs; unset: images are tiles already",
    )
    texture: float = Field(
        0.0,
        ge=0,
        description="leave out tiles whose grey levels (0 to 255) have a smaller standard "
        "deviation than this: empty glass",
    )

    def read(self, source: Any) -> Images:
        """The tiles of ``source``, row by row; what is left at the right and below is dropped."""
        if isinstance(source, Images):
            return source
        if self.tile is None:
            return textured(super().read(source), self.texture)
        knobs = self.model_dump(include=set(ImageSource.model_fields)) | {"size": None}
        whole = ImageSource.of(**knobs).read(source)
        tiles = tiles_of(whole, self.tile, Frame(self.size, self.fit))
        return textured(tiles, self.texture)

    def stream(self, source: Any) -> Images:
        """As `read`: how many tiles there are is known once all of them are."""
        return self.read(source)


def read_tiles(source: Any, settings: TileSource | None = None, **knobs: Any) -> Images:
    """Read tiles; see `TileSource` for ``knobs`` and `read_images` for ``source``.

    Raises:
        InputError: an image is smaller than a tile, or it cannot be read.
    """
    return (settings or TileSource.of(**knobs)).read(source)


def tiles_of(images: Images, side: int, frame: Frame) -> Images:
    """Squares of ``side`` pixels; the table says of which image, and where (``y``, ``x``)."""
    channels, height, width = images.shape
    rows, columns = height // side, width // side
    if not rows or not columns:
        raise InputError(
            f"images of {width} x {height} pixels hold no tile of {side}; expected a smaller --tile"
        )
    kept = images.pixels[:, :, : rows * side, : columns * side]
    squares = kept.reshape(len(images), channels, rows, side, columns, side)
    pixels = squares.transpose(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)
    count = rows * columns
    y, x = np.divmod(np.arange(count), columns)
    table = images.table[np.repeat(np.arange(len(images)), count)]
    places = {"y": np.tile(y * side, len(images)), "x": np.tile(x * side, len(images))}
    return Images(_framed(pixels, frame), table.with_columns(**_columns(places)), images.label)


def textured(images: Images, least: float) -> Images:
    """The images whose grey levels vary by ``least`` or more."""
    if not least:
        return images
    spread = with_channels(images.pixels, 1).astype(np.float32).std((1, 2, 3))
    kept = np.flatnonzero(spread >= least)
    if not len(kept):
        raise InputError(
            f"no tile of {len(images)} varies by {least:g} grey levels; the most varied one by "
            f"{spread.max():.1f}: expected a smaller --texture"
        )
    return images.take(kept)


def _columns(places: dict[str, np.ndarray]) -> dict[str, pl.Series]:
    return {name: pl.Series(values) for name, values in places.items()}


def _framed(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    if frame.size is None or frame.size == pixels.shape[2]:
        return np.ascontiguousarray(pixels)
    grey = pixels.shape[1] == 1
    made = np.empty((*pixels.shape[:2], frame.size, frame.size), np.uint8)
    for row, tile in enumerate(pixels):
        picture = frame(
            Image.fromarray(np.ascontiguousarray(tile[0] if grey else tile.transpose(1, 2, 0)))
        )
        made[row] = np.asarray(picture)[None] if grey else np.asarray(picture).transpose(2, 0, 1)
    return made
