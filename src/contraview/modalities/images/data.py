"""Images as a person has them, understood: `read_images` gives `Images`."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from pydantic import Field
from torch import Tensor

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.images.files import Fit, Frame
from contraview.modalities.images.intake import Part, gathered, take_in

PART_BYTES: Final = 2**26
"""`Images.parts` gives about this many bytes of pixels at a time."""


@dataclass(frozen=True)
class Images:
    """Images of one size, and a table with a row for each.

    Attributes:
        pixels: one channel (grey) or three (red, green, blue), 0 to 255.
        table: what is known of each image: its file, its label, its caption, ...
        label: the column with the class of each image, where there is one.
        caption: the column with the caption of each image, where there is one.
        masks: the class number of each pixel, 0 is background, where there are masks.
        masked: which images have one; the others' is all background and says nothing.
        skipped: files that were found among the images and are none.
    """

    pixels: UInt8[np.ndarray, "n c h w"]
    table: pl.DataFrame
    label: str | None = None
    caption: str | None = None
    masks: UInt8[np.ndarray, "n h w"] | None = None
    masked: Bool[np.ndarray, " n"] | None = None
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def parts(self) -> Iterator["Images"]:
        """The images in order, some 64 MB of pixels at a time."""
        step = part_length(self.shape)
        for start in range(0, len(self), step):
            yield self.take(np.arange(start, min(start + step, len(self))))

    def collect(self, *columns: Any) -> pl.DataFrame:
        """The table, or some columns of it."""
        return self.table.select(*columns) if columns else self.table

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The class of each image as text, empty where unknown."""
        if self.label is None:
            raise InputError("the images have no labels; name their column with --labels")
        return self.texts(self.label)  # here, not in the reading: to use a model needs no labels

    def texts(self, column: str) -> Shaped[np.ndarray, " n"]:
        """A column of the table as text, empty where it is missing."""
        if column not in self.table.columns:
            raise InputError(
                f"the images have no column {column!r}; there are {', '.join(self.table.columns)}"
            )
        return self.table[column].cast(pl.String).fill_null("").to_numpy().astype(str)

    def take(self, rows: Sequence[int] | Int[np.ndarray, " m"]) -> "Images":
        """The images with these numbers, in this order."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            pixels=self.pixels[rows],
            table=self.table[rows],
            masks=None if self.masks is None else self.masks[rows],
            masked=None if self.masked is None else self.masked[rows],
        )

    def batch(
        self, rows: Int[Tensor, " b"], device: torch.device | str = "cpu"
    ) -> Float[Tensor, "b c h w"]:
        """The pixels of some images as numbers from 0 to 1."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.pixels[rows.cpu().numpy()]))
        return chosen.to(device).float() / 255

    def fingerprint(self) -> str:
        """A digest of pixels, masks and table, without the folders that files lie in."""
        digest = hashlib.blake2b(str(self.pixels.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.pixels).data)
        if self.masks is not None:
            digest.update(np.ascontiguousarray(self.masks).data)
        if self.masked is not None:
            digest.update(np.ascontiguousarray(self.masked).data)
        for name in self.table.columns:
            if name != "file":
                digest.update(f"\x1e{name}\x1f".encode())
                digest.update("\x1f".join(self.texts(name)).encode())
        return digest.hexdigest()

    def need_shape(self, shape: Sequence[int], slug: str) -> None:
        """Raise an `InputError` where images have another size or colour than a model's."""
        if self.shape != tuple(shape):
            raise InputError(
                f"{slug}: images of {_said(self.shape)}; expected {_said(shape)}, as in the fit: "
                "read them with that size and these channels"
            )

    def notes(self) -> list[str]:
        """What is worth knowing before anything is learnt from these images."""
        lines = [f"{len(self)} images of {_said(self.shape)}"]
        if self.masked is not None:
            lines.append(f"{int(self.masked.sum())} of them have a mask")
        if self.skipped:
            lines.append(f"{len(self.skipped)} files are no images, such as {self.skipped[0]}")
        flat = self.pixels.reshape(len(self), -1)
        copies = len(self) - len({row.tobytes() for row in flat})
        if copies:
            lines.append(f"{copies} images are copies of others, pixel by pixel")
        return lines


def part_length(shape: Sequence[int]) -> int:
    """How many images of a shape make one part."""
    return max(PART_BYTES // max(int(np.prod(shape)), 1), 1)


def _said(shape: Sequence[int]) -> str:
    channels, height, width = shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} bands")
    return f"{width} x {height} pixels in {colour}"


class ImageSource(Config):
    """How images are read."""

    size: int | None = Field(
        None, ge=4, description="bring images to squares of so many pixels a side; unset: as is"
    )
    fit: Fit = Field(
        "crop", description="how: cut the longer side, pad the shorter one with white, or stretch"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 grey, 3 colour; unset: grey where all images are"
    )
    images: str | None = Field(
        None, description="the column of a table, or array of an npz, that holds the images"
    )
    labels: str | None = Field(
        None,
        description="the column with the class of each image; `label` for class sub-folders and "
        "IDX labels",
    )

    def read(self, source: Any) -> Images:
        """The images of ``source``; see `read_images`."""
        return source if isinstance(source, Images) else self.of_parts(take_in(source, self.images))

    def stream(self, source: Any) -> Any:
        """As `read`, for a single pass: what can be decoded part by part is not yet decoded."""
        from contraview.modalities.images.streamed import StreamedImages

        return source if isinstance(source, Images) else StreamedImages.of(source, self)

    def of_parts(self, parts: Sequence[Part]) -> Images:
        """All parts as one."""
        table = pl.concat([part.table for part in parts], how="diagonal_relaxed")
        return Images(
            pixels=gathered(parts, self.channels, Frame(self.size, self.fit)),
            table=table,
            label=self.labels,
            skipped=tuple(name for part in parts for name in part.skipped),
        )


def read_images(source: Any, settings: ImageSource | None = None, **knobs: Any) -> Images:
    """Read images.

    Args:
        source: a folder (its sub-folders are classes), image files or a glob; a table with a
            column of files, as CSV, Parquet, JSON lines or data frame; an npz archive, a dictionary
            of arrays, or an array [n, h, w], [n, h, w, c] or [n, c, h, w]; IDX files, images and
            labels; or several of these. `Images` are given back as they are.
        settings: how to read them.
        **knobs: the fields of `ImageSource`, in place of ``settings``.

    Transparent pixels become white, 16-bit images are cut to 8 bits.

    Raises:
        InputError: nothing there, a damaged file, images of several sizes and no ``size``.
    """
    return (settings or ImageSource.of(**knobs)).read(source)
