"""Image files as pixels of one size: whatever Pillow opens, in colour or grey, and masks."""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from contraview.core.errors import InputError

Fit = Literal["crop", "pad", "stretch"]
SUFFIXES: Final = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)
_GREY: Final = frozenset({"1", "L", "LA", "I;16", "I;16B", "I;16L"})
_WHITE: Final = 255
_ORIENTATION: Final = 0x0112
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for bytes that are no image, or only the beginning of one."""
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})


@dataclass(frozen=True)
class Frame:
    """The size that images are brought to, and how.

    Attributes:
        size: pixels of the square; None leaves images as they are.
        fit: cut the longer side, fill the shorter side, or distort.
    """

    size: int | None = None
    fit: Fit = "crop"

    def __call__(self, image: Image.Image, *, mask: bool = False) -> Image.Image:
        """The image in the frame; a mask keeps its values and is filled with 0, not white."""
        if self.size is None or image.size == (self.size, self.size):
            return image
        square = (self.size, self.size)
        method = Image.Resampling.NEAREST if mask else Image.Resampling.BILINEAR
        if self.fit == "stretch":
            return image.resize(square, method)
        if self.fit == "crop":
            return ImageOps.fit(image, square, method)
        empty = 0 if mask else (_WHITE,) * len(image.getbands())
        return ImageOps.pad(image, square, method, color=empty)


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before it is decoded."""

    grey: bool
    width: int
    height: int


def header(path: Path) -> Header:
    """Colour and size of an image file, as it is meant to be seen."""
    with _opened(path) as image:
        try:  # of PNG the whole file is read for this
            sideways = image.getexif().get(_ORIENTATION) in _SIDEWAYS
        except _BROKEN as error:
            raise InputError(f"{path}: damaged: {error}; expected a whole image") from None
        width, height = image.size[::-1] if sideways else image.size
        return Header(image.mode in _GREY, width, height)


def decode(path: Path, channels: int, frame: Frame) -> UInt8[np.ndarray, "c h w"]:
    """The pixels of a file: turned as its camera was held, transparency laid on white."""
    with _opened(path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(frame(_opaque(upright, channels, path)))
        except _BROKEN as error:
            raise InputError(f"{path}: damaged: {error}; expected a whole image") from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def decode_mask(path: Path, frame: Frame) -> UInt8[np.ndarray, "h w"]:
    """The class number of each pixel of a mask file, as it is stored."""
    with _opened(path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            values = np.asarray(frame(upright, mask=True))
        except _BROKEN as error:
            raise InputError(f"{path}: damaged: {error}; expected a whole mask") from None
    if values.ndim != 2 or values.dtype.kind not in "bui" or values.min() < 0 or values.max() > 255:
        raise InputError(
            f"{path}: a mask of mode {upright.mode}; expected one channel with a class number, "
            "0 to 255, a pixel"
        )
    return values.astype(np.uint8)


def decoded(
    paths: Sequence[Path], channels: int, frame: Frame
) -> Iterator[UInt8[np.ndarray, "c h w"]]:
    """The pixels of many files in order, decoded on all cores."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), 1024):  # so that few decoded images wait
            yield from pool.map(lambda p: decode(p, channels, frame), paths[start : start + 1024])


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected an image") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}; expected a smaller image") from None
    except _BROKEN:  # Pillow's own error for what it cannot identify is one of these
        raise InputError(f"{path}: is no image that can be read; expected PNG, JPEG, ...") from None


def _opaque(image: Image.Image, channels: int, path: Path) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise InputError(f"{path}: 32 bits a pixel; expected 8 or 16")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        ground = Image.new("RGBA", above.size, (_WHITE, _WHITE, _WHITE, _WHITE))
        image = Image.alpha_composite(ground, above)
    return image.convert("L" if channels == 1 else "RGB")
