"""Folders of PNG files that a verb writes."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.whole_file import write_bytes


def need_new_folder(folder: Path) -> None:
    """Refuse a folder that holds something, before any work is done: nothing is overwritten."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder}: is there already; expected a new or empty folder to write to")


def names_of(data: Any) -> list[str]:
    """A PNG file name an item: that of its file, below the folder that all files share.

    Tiles of a file also have their place in it, ``slide_y48_x0.png``. Items without a file are
    numbered from 0.
    """
    table = data.collect()
    if "file" not in table.columns:
        return [f"{row:06d}.png" for row in range(table.height)]
    files = [Path(name) for name in table["file"]]
    shared = os.path.commonpath([file.parent for file in files])
    names = [str(file.relative_to(shared).with_suffix(".png")) for file in files]
    if {"y", "x"} <= set(table.columns):
        places = zip(names, table["y"], table["x"], strict=True)
        names = [f"{name.removesuffix('.png')}_y{y}_x{x}.png" for name, y, x in places]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{shared}: several images would be written to {twice}; rename them")
    return names


def write_png(path: Path, pixels: UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "c h w"]) -> None:
    """Write grey [h, w] or [1, h, w], or colour [3, h, w], whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = (
        pixels if pixels.ndim == 2 else pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    )
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(content, "PNG")
    write_bytes(path, content.getvalue())
