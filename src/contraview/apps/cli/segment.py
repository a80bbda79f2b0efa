"""`contraview segment`: a mask file for each image."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from contraview.apps.batch.answers import loaded
from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.cli.pictures import names_of, need_new_folder, write_png
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Write one PNG an image, of its size, under its name."""
    chosen = parse(
        "contraview segment",
        "Writes a mask for each image of DATA: a PNG of the image's name in the folder --out, "
        "which holds the class number of each pixel, 0 for background. Masks of one class hold "
        "0 and 255, so that they can be looked at; they are read back as 0 and 1.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        out=(Path, ...),
    )
    if not chosen.data:
        raise InputError("contraview segment: no data; expected images after the model")
    need_new_folder(chosen.out)
    system = loaded(verb, chosen.model)
    data = system.read(chosen.data)
    for name, mask in zip(names_of(data), _masks(system, data), strict=True):
        write_png(chosen.out / name, mask)
    sys.stdout.write(f"{chosen.out}\n")
    return 0


def _masks(system: Any, data: Any) -> Iterator[np.ndarray]:
    """Masks part by part; 255 for the only class, where there is one."""
    for part in data.parts():
        for mask in system.segment(part):
            bright = 255 if mask.max(initial=0) <= 1 else 1
            yield (mask * bright).astype(np.uint8)
