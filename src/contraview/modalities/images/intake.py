"""Where images come from: folders, tables of files, archives and arrays, as parts in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Shaped, UInt8
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.spare_file import spare_file
from contraview.modalities.images.arrays import (
    columns_among,
    images_among,
    is_array,
    is_idx,
    pixels_of,
    read_idx,
    read_npz,
)
from contraview.modalities.images.files import SUFFIXES, Frame, Header, decoded, header
from contraview.modalities.images.tables import TABLES, files_of, read_table

Understand = Callable[[Any, str], Shaped[np.ndarray, "n c h w"]]
"""An array as it was given, and what to call it in errors; the images."""
LABEL: Final = "label"
"""The column of class sub-folders and of IDX labels."""
IN_MEMORY: Final = 2**31
"""Pixels beyond this many bytes lie in a temporary file that is mapped into memory."""


@dataclass(frozen=True)
class Part:
    """Some of the images: a table with a row for each, and their pixels or their files.

    Attributes:
        where: what to call it in errors.
        table: one row an image.
        files: to decode; none where there are ``pixels``.
        pixels: as they were given.
        root: the folder that names of further files (masks) are relative to.
        arrays: everything that came with the pixels, by name.
        skipped: files of the folder that are no images.
    """

    where: str
    table: pl.DataFrame
    files: tuple[Path, ...] = ()
    pixels: Shaped[np.ndarray, "n c h w"] | None = None
    root: Path | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    @cached_property
    def headers(self) -> list[Header]:
        """Colour and size of each file."""
        return [header(path) for path in self.files]

    @property
    def grey(self) -> bool:
        """Whether no image of it has colour."""
        if self.pixels is not None:
            return self.pixels.shape[1] == 1
        return all(each.grey for each in self.headers)

    def sizes(self) -> Iterator[tuple[int, int, str]]:
        """Height and width of each image that may differ from the one before, and its name."""
        if self.pixels is not None:
            yield (*self.pixels.shape[2:], self.where)
            return
        for path, each in zip(self.files, self.headers, strict=True):
            yield each.height, each.width, str(path)

    def cut(self, start: int, stop: int) -> "Part":
        """Its images from number ``start`` to before ``stop``, without what else came with them."""
        return Part(
            self.where,
            self.table[start:stop],
            files=self.files[start:stop],
            pixels=None if self.pixels is None else self.pixels[start:stop],
            root=self.root,
        )

    def write(self, room: UInt8[np.ndarray, "n c h w"], frame: Frame) -> None:
        """Put the pixels, in colour or grey and in the frame, where there is room for them."""
        channels = room.shape[1]
        if self.pixels is None:
            for row, image in enumerate(decoded(self.files, channels, frame)):
                room[row] = image
            return
        coloured = with_channels(self.pixels, channels)
        if coloured.shape[2:] == room.shape[2:]:
            room[:] = coloured
            return
        for row, image in enumerate(coloured):
            picture = Image.fromarray(image[0] if channels == 1 else image.transpose(1, 2, 0))
            framed = np.asarray(frame(picture))
            room[row] = framed if channels == 1 else framed.transpose(2, 0, 1)


def with_channels(
    pixels: UInt8[np.ndarray, "n c h w"], channels: int
) -> UInt8[np.ndarray, "n d h w"]:
    """The same images in grey (1; luma of ITU-R BT.601, as Pillow rounds it) or colour (3)."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(3, axis=1)
    red, green, blue = pixels.astype(np.uint32).transpose(1, 0, 2, 3)
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return luma.astype(np.uint8)[:, None]


def gathered(
    parts: Sequence[Part], channels: int | None, frame: Frame
) -> UInt8[np.ndarray, "n c h w"]:
    """The pixels of all parts, of one size and one number of channels.

    Raises:
        InputError: a file is damaged, or sizes differ and the frame names none.
    """
    return filled(parts, shape_of(parts, channels, frame), frame)


def shape_of(parts: Sequence[Part], channels: int | None, frame: Frame) -> tuple[int, int, int]:
    """Channels, height and width of the images of all parts, from the heads of their files.

    Raises:
        InputError: a file is no image, or sizes differ and the frame names none.
    """
    channels = channels or (1 if all(part.grey for part in parts) else 3)
    if frame.size is not None:
        return channels, frame.size, frame.size
    sizes = (each for part in parts for each in part.sizes())
    height, width, first = next(sizes)
    for other in sizes:
        if other[:2] != (height, width):
            raise InputError(
                f"{other[2]}: {other[1]} x {other[0]} pixels, but {first} has {width} x "
                f"{height}; expected one size, or --size to bring them to one"
            )
    return channels, height, width


def filled(
    parts: Sequence[Part], shape: tuple[int, int, int], frame: Frame
) -> UInt8[np.ndarray, "n c h w"]:
    """The pixels of all parts, whose images are known to have one shape.

    Raises:
        InputError: a file is damaged.
    """
    counts = [part.table.height for part in parts]
    room = _room((sum(counts), *shape))
    start = 0
    for part, count in zip(parts, counts, strict=True):
        part.write(room[start : start + count], frame)
        start += count
    return room


def _room(shape: tuple[int, int, int, int]) -> UInt8[np.ndarray, "n c h w"]:
    size = int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    with spare_file("the images, decoded", size) as file:  # the map keeps it alive
        return np.memmap(file, np.uint8, "w+", shape=shape)


def take_in(
    source: Any, images: str | None, masks: str | None = None, understand: Understand = pixels_of
) -> list[Part]:
    """What a person gave, as parts.

    Args:
        source: see `read_images`.
        images: the column of a table, or the array of an archive, that holds the images.
        masks: the array of an archive that holds masks and could be taken for images.
        understand: makes [n, c, h, w] of an array of images.
    """
    if is_array(source):
        pixels = understand(source, "the array")
        return [Part("the array", pl.DataFrame({"row": range(len(pixels))}), pixels=pixels)]
    if isinstance(source, Mapping):
        return [_arrays(source, images, masks, "the arrays", understand)]
    if isinstance(source, pl.DataFrame) or type(source).__module__.startswith("pandas"):
        frame = source if isinstance(source, pl.DataFrame) else pl.from_pandas(source)
        return [_table(frame, Path(), images, "the table")]
    named = [source] if isinstance(source, str | Path) else source
    if not isinstance(named, list | tuple) or not all(isinstance(p, str | Path) for p in named):
        raise InputError(
            f"images cannot be read from {type(source).__name__}; expected a folder, files, a "
            "table with a column of files, or arrays"
        )
    paths = [path for name in named for path in _expanded(name)]
    return _paths(paths, images, masks, understand)


def _expanded(name: str | Path) -> list[Path]:
    if not str(name):
        raise InputError("an empty name; expected a folder or a file of images")
    path = Path(name).expanduser()
    if path.exists():
        return [path]
    found = [Path(match) for match in sorted(glob(str(path)))]  # noqa: PTH207 absolute ones too
    if not found:
        raise InputError(f"{name}: no such file; expected a folder or a file of images")
    return found


def _paths(
    paths: Sequence[Path], images: str | None, masks: str | None, understand: Understand
) -> list[Part]:
    if not paths:
        raise InputError("no images; expected at least one folder or file")
    parts: list[Part] = []
    single: list[Path] = []
    idx: list[Path] = []
    for path in paths:
        if path.is_dir():
            parts.append(_folder(path))
        elif is_idx(path):
            idx.append(path)
        elif path.suffix == ".npz":
            parts.append(_arrays(read_npz(path), images, masks, str(path), understand))
        elif path.name.endswith(TABLES):
            parts.append(_table(read_table(path), path.parent, images, str(path)))
        else:
            single.append(path)
    if single:
        table = pl.DataFrame({"file": [str(path) for path in single]})
        parts.append(Part(str(single[0]), table, files=tuple(single)))
    return parts + (_idx(idx) if idx else [])


def _folder(root: Path) -> Part:
    """All images below a folder; sub-folders are classes."""
    every = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
    files = [path for path in every if path.suffix.lower() in SUFFIXES]
    if not files:
        raise InputError(f"{root}: holds no image; expected PNG, JPEG or another image format")
    columns = {"file": [str(path) for path in files]}
    inside = [path.relative_to(root).parts[:-1] for path in files]
    if any(inside):
        columns[LABEL] = [folders[0] if folders else "" for folders in inside]
    skipped = tuple(str(path) for path in every if path.suffix.lower() not in SUFFIXES)
    return Part(str(root), pl.DataFrame(columns), files=tuple(files), root=root, skipped=skipped)


def _table(table: pl.DataFrame, root: Path, images: str | None, where: str) -> Part:
    return Part(where, table, files=files_of(table, root, images, where), root=root)


def _arrays(
    arrays: Mapping[str, Any],
    images: str | None,
    masks: str | None,
    where: str,
    understand: Understand,
) -> Part:
    name = images_among(arrays, images, masks, where)
    pixels = understand(arrays[name], f"{where}, array {name!r}")
    columns = columns_among(arrays, name) or {"row": np.arange(len(pixels))}
    return Part(where, pl.DataFrame(columns), pixels=pixels, arrays=arrays)


def _idx(paths: Sequence[Path]) -> list[Part]:
    """Image files, and label files for them in the same order where there are any."""
    read = [(path, read_idx(path)) for path in paths]
    pictures = [(path, array) for path, array in read if array.ndim > 1]
    labels = [(path, array) for path, array in read if array.ndim == 1]
    if not pictures or (labels and len(labels) != len(pictures)):
        raise InputError(
            f"{paths[0]}: {len(pictures)} IDX files of images and {len(labels)} of labels; "
            "expected images, alone or with a file of labels each"
        )
    parts = []
    for number, (path, array) in enumerate(pictures):
        pixels = pixels_of(array, str(path))
        columns: dict[str, Any] = {"row": np.arange(len(pixels))}
        if labels:
            beside, classes = labels[number]
            if len(classes) != len(pixels):
                raise InputError(
                    f"{beside}: {len(classes)} labels for {len(pixels)} images of {path.name}; "
                    "expected one an image"
                )
            columns[LABEL] = classes
        parts.append(Part(str(path), pl.DataFrame(columns), pixels=pixels))
    return parts
