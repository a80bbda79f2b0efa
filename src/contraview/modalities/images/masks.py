"""Images whose pixels have classes: each image with its mask."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
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
        but 0 and 255, 255 counts as class 1.
        """
        if self.masks is None or isinstance(source, Images):
            return super().read(source)
        parts = take_in(source, self.images, self.masks)
        images, frame = self.of_parts(parts), Frame(self.size, self.fit)
        masks = [_masks(part, self.masks, frame) for part in parts]
        for mask in masks:
            if mask.shape[1:] != images.shape[1:]:
                raise InputError(
                    f"{self.masks}: masks of {mask.shape[2]} x {mask.shape[1]} pixels for images "
                    f"of {images.shape[2]} x {images.shape[1]}; expected the same size"
                )
        whole = np.concatenate(masks)
        if np.isin(whole, (0, 255)).all():
            whole = whole // 255
        return replace(images, masks=whole)


def _masks(part: Part, place: str, frame: Frame) -> UInt8[np.ndarray, "n h w"]:
    if place in part.arrays:
        return _array(part, place, frame)
    if place in part.table.columns:
        paths = files_in(part.table, place, part.root or Path(), part.where)
    elif Path(place).is_dir():
        paths = tuple(_partner(path, part.root, Path(place)) for path in part.files)
    else:
        raise InputError(
            f"{part.where}: no masks {place!r}; expected a folder, a column or an array so named"
        )
    masks = [decode_mask(path, frame) for path in paths]
    for path, mask in zip(paths, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise InputError(
                f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels; expected "
                f"{masks[0].shape[1]} x {masks[0].shape[0]} as before, or --size"
            )
    return np.stack(masks)


def _partner(image: Path, root: Path | None, masks: Path) -> Path:
    """The mask file with the image's name, whatever its suffix."""
    within = image.relative_to(root) if root is not None else Path(image.name)
    beside = masks / within.parent
    found = sorted(
        path for path in beside.glob(f"{_escaped(image.stem)}.*") if path.suffix.lower() in SUFFIXES
    )
    if len(found) != 1:
        raise InputError(
            f"{image}: {len(found)} masks named {image.stem} in {beside}; expected one"
        )
    return found[0]


def _escaped(name: str) -> str:
    from glob import escape

    return escape(name)


def _array(part: Part, name: str, frame: Frame) -> UInt8[np.ndarray, "n h w"]:
    values = np.asarray(part.arrays[name])
    if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
        values = values.reshape(len(values), *(s for s in values.shape[1:] if s != 1))
    if values.ndim != 3 or len(values) != part.table.height or values.dtype.kind not in "bui":
        raise InputError(
            f"{part.where}, array {name!r}: {values.dtype} of shape {list(values.shape)}; expected "
            f"whole numbers as [{part.table.height}, h, w]"
        )
    if values.size and not 0 <= values.min() <= values.max() <= 255:
        raise InputError(f"{part.where}, array {name!r}: expected class numbers from 0 to 255")
    masks = values.astype(np.uint8)
    if frame.size is None:
        return masks
    return np.stack([np.asarray(frame(Image.fromarray(each), mask=True)) for each in masks])
