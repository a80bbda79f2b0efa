"""Images of any number of bands in any unit, as satellites record them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from pydantic import Field
from torch import Tensor

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.files import Frame, decode, header
from contraview.modalities.images.geotiff import SUFFIXES, read_geotiff
from contraview.modalities.images.intake import Part, take_in


@dataclass(frozen=True, eq=False)
class BandScale:
    """The range of each band that becomes 0 to 255; what lies outside is cut off.

    Attributes:
        low: of each band, becomes 0.
        high: of each band, becomes 255.
    """

    low: Float[np.ndarray, " c"]
    high: Float[np.ndarray, " c"]

    @classmethod
    def of(cls, bands: "Bands", spreads: float = 2.0) -> "BandScale":
        """Mean plus and minus so many standard deviations of each band over all images."""
        total, squares, count = np.zeros(bands.shape[0]), np.zeros(bands.shape[0]), 0
        for part in bands.parts():
            values = part.pixels.astype(np.float64)
            total += values.sum((0, 2, 3))
            squares += np.square(values).sum((0, 2, 3))
            count += values[:, 0].size
        mean = total / count
        reach = spreads * np.sqrt(np.maximum(squares / count - np.square(mean), 0))
        reach = np.where(reach > 0, reach, 1.0)
        return cls(mean - reach, mean + reach)

    def __call__(self, values: Shaped[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n c h w"]:
        """Values as 8 bits: 255 (v - low) / (high - low), cut to 0 to 255, fractions dropped."""
        low, high = self.low[:, None, None], self.high[:, None, None]
        return np.clip(255 * ((values - low) / (high - low)), 0, 255).astype(np.uint8)

    def is_that(self, other: "BandScale") -> bool:
        """Whether both are the same."""
        return np.array_equal(self.low, other.low) and np.array_equal(self.high, other.high)


@dataclass(frozen=True)
class Bands(Images):
    """Images whose numbers are in the unit they were recorded in, until `scaled` makes 8 bits.

    Attributes:
        pixels: any number of bands, any type of number; 0 to 255 once there is a ``scale``.
        scale: what made 8 bits of them; None as they were read.
    """

    pixels: Shaped[np.ndarray, "n c h w"]
    scale: BandScale | None = None

    def scaled(self, scale: BandScale) -> "Bands":
        """The images in 8 bits.

        Raises:
            InputError: another number of bands, or they were scaled for another model.
        """
        if self.scale is not None:
            if not self.scale.is_that(scale):
                raise InputError("bands were scaled for another model; expected them as read")
            return self
        if len(scale.low) != self.shape[0]:
            raise InputError(
                f"images of {self.shape[0]} bands; expected {len(scale.low)}, as in the fit"
            )
        room = np.empty(self.pixels.shape, np.uint8)
        start = 0
        for part in self.parts():
            room[start : start + len(part)] = scale(part.pixels)
            start += len(part)
        return replace(self, pixels=room, scale=scale)

    def batch(
        self, rows: Int[Tensor, " b"], device: torch.device | str = "cpu"
    ) -> Float[Tensor, "b c h w"]:
        """The pixels of some images as numbers from 0 to 1, once they are `scaled`."""
        if self.scale is None:
            raise InputError("bands have no range yet; expected scaled ones")
        return super().batch(rows, device)


class BandSource(Config):
    """How images of several bands are read."""

    images: str | None = Field(
        None, description="the column of a table, or array of an npz, that holds the images"
    )
    labels: str | None = Field(
        None,
        description="the column with the classes of each image, several parted by semicolons, as "
        "in 'water;forest'; empty where unknown",
    )
    bands: tuple[int, ...] | None = Field(
        None, description="the bands to keep, counted from 1, in this order; unset: all"
    )
    size: int | None = Field(
        None, ge=4, description="cut squares of so many pixels from the middle; unset: as is"
    )

    def read(self, source: Any) -> Bands:
        """The images of ``source``; see `read_bands`."""
        if isinstance(source, Bands):
            return source
        if isinstance(source, Images):
            return Bands(**{each.name: getattr(source, each.name) for each in fields(source)})
        parts = take_in(source, self.images, understand=_bands_of)
        values = [self._cut(read, part.where) for part in parts for read in _values(part)]
        first = values[0]
        for other in values:
            if other.shape[1:] != first.shape[1:]:
                raise InputError(
                    f"images of {_said(first)} and of {_said(other)}; expected one size and the "
                    "same bands: --size cuts them alike"
                )
        return Bands(
            pixels=np.concatenate(values) if len(values) > 1 else first,
            table=pl.concat([part.table for part in parts], how="diagonal_relaxed"),
            label=self.labels,
            skipped=tuple(name for part in parts for name in part.skipped),
        )

    def _cut(
        self, values: Shaped[np.ndarray, "n c h w"], where: str
    ) -> Shaped[np.ndarray, "n d y x"]:
        """The bands to keep, the middle to keep; refuses numbers that are none."""
        count, height, width = values.shape[1:]
        if self.bands is not None:
            if not self.bands or min(self.bands) < 1 or max(self.bands) > count:
                raise InputError(f"{where}: has bands 1 to {count}; --bands {self.bands}")
            values = values[:, [band - 1 for band in self.bands]]
        if self.size is not None:
            if min(height, width) < self.size:
                raise InputError(
                    f"{where}: {width} x {height} pixels; expected {self.size} or more"
                )
            top, left = (height - self.size) // 2, (width - self.size) // 2
            values = values[:, :, top : top + self.size, left : left + self.size]
        if values.dtype.kind not in "buif" or not np.isfinite(values).all():
            raise InputError(f"{where}: {values.dtype} that are not all finite; expected numbers")
        return values


def read_bands(source: Any, settings: BandSource | None = None, **knobs: Any) -> Bands:
    """Read images of several bands in their own unit.

    Args:
        source: a folder or files of GeoTIFF (any bands, any type) or of other images; a table with
            a column of files; an npz archive, a dictionary of arrays, or an array [n, h, w],
            [n, c, h, w] or [n, h, w, c]: there are fewer bands than pixels a side, and of two
            equal axes the first one holds the bands. `Images` are taken in 0 to 255.
        settings: how to read them.
        **knobs: the fields of `BandSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, a damaged file, images of several sizes or bands, numbers that
            are not finite.
    """
    return (settings or BandSource.of(**knobs)).read(source)


def _bands_of(array: Any, where: str) -> Shaped[np.ndarray, "n c h w"]:
    values = np.asarray(array)
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or not values.size:
        raise InputError(
            f"{where}: an array of shape {list(np.shape(array))}; expected images as [n, h, w], "
            "[n, c, h, w] or [n, h, w, c]"
        )
    return values if values.shape[1] <= values.shape[3] else values.transpose(0, 3, 1, 2)


def _values(part: Part) -> Sequence[Shaped[np.ndarray, "n c h w"]]:
    """The numbers of a part: in one piece, or of each of its files."""
    if part.pixels is not None:
        return [part.pixels]
    return [_of_file(path)[None] for path in part.files]


def _of_file(path: Path) -> Shaped[np.ndarray, "c h w"]:
    if path.suffix.lower() in SUFFIXES:
        return read_geotiff(path)
    return decode(path, 1 if header(path).grey else 3, Frame())


def _said(values: Shaped[np.ndarray, "n c h w"]) -> str:
    return f"{values.shape[3]} x {values.shape[2]} pixels in {values.shape[1]} bands"
