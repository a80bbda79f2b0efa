"""Image files, masks, lists, arrays, bands."""

from pathlib import Path
from typing import Any

import polars as pl
from tests.fuzz import pack
from tests.fuzz.judge import Reader
from tests.fuzz.seeds import images
from tests.fuzz.wings.items import use

from contraview.modalities.images.bands import read_bands
from contraview.modalities.images.captions import CaptionedSource
from contraview.modalities.images.data import read_images
from contraview.modalities.images.masks import MaskedSource


def _masks(path: Path) -> None:
    picture = path.with_name("picture.png")
    if not picture.exists():
        picture.write_bytes(images.picture("PNG", 6))
    masked = MaskedSource.of(masks="mask").read(_table(path, picture))
    use(masked)


def _table(path: Path, picture: Path) -> Any:

    return pl.DataFrame({"file": [str(picture)], "mask": [str(path)]})


def _listed(path: Path) -> None:
    picture = path.with_name("picture.png")
    if not picture.exists():
        picture.write_bytes(images.picture("PNG", 6))
    use(CaptionedSource.of(labels="label").read(path))


def _arrays(path: Path) -> None:
    found = read_images(path)
    use(found)
    found.notes()


READERS = (
    Reader("images", "picture.png", lambda p: use(read_images(p)), images.images, pack.picture),
    Reader("masks", "mask.png", _masks, images.images, pack.picture),
    Reader("image_tables", "list.csv", _listed, images.image_lists),
    Reader("image_arrays", "images.npz", _arrays, images.image_arrays, pack.archive),
    Reader("idx", "images.idx", _arrays, images.idx),
    Reader("geotiff", "bands.tif", lambda p: use(read_bands(p)), images.geotiff),
)
