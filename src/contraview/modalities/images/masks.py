"""Images whose pixels have classes: each image with its mask."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image
from pydantic import Field

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images, ImageSource
from contraview.modalities.images.files import SUFFIXES, Frame, decode_mask
from contraview.modalities.images.intake import Part, take_in
from contraview.modalities.images.tables import files_in


class MaskedSource(ImageSource):
    """How images and their masks are read."""

    masks: str | None = Field(
        None,
        description="where the masks are: a folder with files of the images' names, a column of "
        "the table with mask files, or an array of the npz",
    )

    def read(self, source: Any) -> Images:
        """The images of ``source``, with masks where their place is named.

        A mask holds a class number a pixel, 0 is background. Where all masks together hold nothing
        but 0 and 255, 255 counts as class 1. Images without a file of their name in the folder, or
        with an empty cell in the column, have no mask; some image has to have one.
        """
        if self.masks is None or isinstance(source, Images):
            return super().read(source)
        parts = take_in(source, self.images, self.masks)
        images, frame = self.of_parts(parts), Frame(self.size, self.fit)
        found = [mask for part in parts for mask in _masks(part, self.masks, frame)]
        return with_masks(images, found, self.masks)

    def stream(self, source: Any) -> Images:
        """As `read`: what the values of masks mean is known once all of them are."""
        return self.read(source)


def read_masked(source: Any, masks: Any = None) -> Images:
    """Read images, and their masks where they are given.

    Args:
        source: see `read_images`; `Images` keep the masks that they have.
        masks: see `MaskedSource.masks`; or an array [n, h, w], or a list with a mask [h, w] an
            image and None for those without. Whole numbers, 0 is background.

    Raises:
        InputError: masks of another number or size than the images, or no numbers 0 to 255.
    """
    if isinstance(masks, str | Path):
        return MaskedSource.of(masks=str(masks)).read(source)
    images = MaskedSource.of().read(source)
    return images if masks is None else with_masks(images, list(masks), "masks")


def with_masks(images: Images, masks: Sequence[Any], where: str) -> Images:
    """``images`` with a mask each, None for those without; ``where`` names them in errors."""
    if len(masks) != len(images):
        raise InputError(f"{where}: {len(masks)} masks for {len(images)} images; expected one each")
    _, height, width = images.shape
    whole = np.zeros((len(images), height, width), dtype=np.uint8)
    masked = np.array([mask is not None for mask in masks])
    if not masked.any():
        raise InputError(f"{where}: no image has a mask there; expected files of the images' names")
    for row, mask in enumerate(masks):
        if mask is not None:
            whole[row] = _classes(mask, (height, width), _named(images, row, where))
    if np.isin(whole, (0, 255)).all():
        whole = whole // 255
    return replace(images, masks=whole, masked=masked)


def _named(images: Images, row: int, where: str) -> str:
    has_file = "file" in images.table.columns
    return f"{where}, mask of {images.table['file'][row] if has_file else f'image {row}'}"


def _classes(mask: Any, size: tuple[int, int], where: str) -> Shaped[np.ndarray, "h w"]:
    values = np.asarray(mask)
    if values.shape != size:
        said = " x ".join(map(str, values.shape[::-1]))
        raise InputError(
            f"{where}: {said} pixels for an image of {size[1]} x {size[0]}; expected the same size"
        )
    if values.dtype.kind not in "bui" or values.min() < 0 or values.max() > 255:
        raise InputError(
            f"{where}: {values.dtype} from {values.min()} to {values.max()}; expected class "
            "numbers from 0 to 255"
        )
    return values


def _masks(part: Part, place: str, frame: Frame) -> list[Shaped[np.ndarray, "h w"] | None]:
    """The mask of each image of a part, in its order, as stored."""
    if place in part.arrays:
        return list(_array(part, place, frame))
    if place in part.table.columns:
        cells = part.table[place]
        named = files_in(part.table.filter(cells != ""), place, part.root or Path(), part.where)
        files = iter(named)
        paths = [next(files) if cell else None for cell in cells]
    elif Path(place).is_dir():
        paths = [_partner(path, part.root, Path(place)) for path in part.files]
    else:
        raise InputError(
            f"{part.where}: no masks {place!r}; expected a folder, a column or an array so named"
        )
    return [None if path is None else decode_mask(path, frame) for path in paths]


def _partner(image: Path, root: Path | None, masks: Path) -> Path | None:
    """The mask file with the image's name, whatever its suffix; None where there is none."""
    within = image.relative_to(root) if root is not None else Path(image.name)
    beside = masks / within.parent
    found = sorted(
        path for path in beside.glob(f"{_escaped(image.stem)}.*") if path.suffix.lower() in SUFFIXES
    )
    if len(found) > 1:
        raise InputError(
            f"{image}: {len(found)} masks named {image.stem} in {beside}; expected one"
        )
    return found[0] if found else None


def _escaped(name: str) -> str:
    from glob import escape

    return escape(name)


def _array(part: Part, name: str, frame: Frame) -> Shaped[np.ndarray, "n h w"]:
    values = np.asarray(part.arrays[name])
    if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
        values = values.reshape(len(values), *(s for s in values.shape[1:] if s != 1))
    if values.ndim != 3 or len(values) != part.table.height or values.dtype.kind not in "bui":
        raise InputError(
            f"{part.where}, array {name!r}: {values.dtype} of shape {list(values.shape)}; expected "
            f"whole numbers as [{part.table.height}, h, w]"
        )
    if frame.size is None:
        return values
    masks = values.astype(np.uint8)
    return np.stack([np.asarray(frame(Image.fromarray(each), mask=True)) for each in masks])
