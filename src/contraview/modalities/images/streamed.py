"""Image files that are decoded part by part, for a single pass over many of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from contraview.modalities.images.data import Images, ImageSource, part_length
from contraview.modalities.images.files import Frame
from contraview.modalities.images.intake import Part, filled, shape_of, take_in


@dataclass(frozen=True)
class StreamedImages:
    """Images whose files are known and whose pixels are not in memory yet.

    What must hold over all of them (one size, grey or colour) is known from the heads of the files.

    Attributes:
        sources: where they are from, in order.
        table: one row an image, of all sources.
        shape: channels, height, width of every image.
        settings: how they are read.
        caption: the column with captions, where images are read with them.
    """

    sources: tuple[Part, ...]
    table: pl.DataFrame
    shape: tuple[int, int, int]
    settings: ImageSource
    caption: str | None = None

    @classmethod
    def of(cls, source: Any, settings: ImageSource) -> "StreamedImages":
        """The images of ``source``; see `read_images`.

        Raises:
            InputError: as `read_images`, but for damaged files: they are found on the way.
        """
        sources = take_in(source, settings.images)
        shape = shape_of(sources, settings.channels, Frame(settings.size, settings.fit))
        table = pl.concat([each.table for each in sources], how="diagonal_relaxed")
        return cls(tuple(sources), table, shape, settings)

    def __len__(self) -> int:
        return self.table.height

    def parts(self) -> Iterator[Images]:
        """The images in order, some 64 MB of pixels at a time, as `Images.parts` cuts them."""
        for piece in self.pieces():
            yield piece.read()

    def pieces(self) -> Iterator["StreamedImages"]:
        """As `parts`, but not decoded yet, so that another process can do it."""
        step = part_length(self.shape)
        for start in range(0, len(self), step):
            stop = min(start + step, len(self))
            yield replace(
                self,
                sources=tuple(_between(self.sources, start, stop)),
                table=self.table[start:stop],
            )

    def portable(self, _folder: Path) -> "StreamedImages":
        """Itself: whoever sees the files can read them."""
        return self

    def read(self) -> Images:
        """All of them in memory."""
        frame = Frame(self.settings.size, self.settings.fit)
        return Images(
            pixels=filled(self.sources, self.shape, frame),
            table=self.table,
            label=self.settings.labels,
            caption=self.caption,
        )


def _between(sources: Sequence[Part], start: int, stop: int) -> Iterator[Part]:
    """The images from number ``start`` to before ``stop`` of all sources."""
    for source in sources:
        count = source.table.height
        if start < count and stop > 0:
            yield source.cut(max(start, 0), min(stop, count))
        start, stop = start - count, stop - count
