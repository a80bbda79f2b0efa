"""The furniture data set as clouds: read once, then kept; classes by name, families of kin."""

import hashlib
import re
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from contraview.core.datasets import cache_folder
from contraview.modalities.clouds.data import Clouds, CloudSource, read_clouds
from contraview.modalities.clouds.datasets import FURNITURE

READ_OUT: Final = 1
"""Counts up when the same files would be read as other points: what is kept is then read anew."""

CLASSES: Final = (
    ("lamp", r"\b(lamp|lights?|lamppost|lantern)\b"),
    ("storage", r"\b(cabinet|wardrobe|cupboard|shelves|bookcase|dresser|vanity)\b"),
    ("sofa", r"\b(sofa|couch)\b"),
    ("bed", r"\bbed\b"),
    ("armchair", r"^(\w+ )?armchair$"),
    ("chair", r"^(?!baby|beach|deck).*\bchair( with cushion)?$"),
    ("table", r"\b(table|desk)( on trestles| with tablecloth| 4 persons)?$"),
    ("door", r"\bdoor( with panes)?$"),
    ("person", r"\b(female|male|boy|girl)\b"),
    ("car", r"\b(sedan 0\d|suv|ford|renault|peugeot|seat leon|smart|chevrolet|beetle)\b"),
    ("car", r"\b(van|truck|bus)$"),
    ("plant", r"\b(tree|plant|palm|pine|maple|poplar|cypress|beech|acacia|ficus|yucca)\b"),
    ("plant", r"\b(bamboo|lily|tulips|flowers|orchids|blossom|cactus|spathiphyllum)\b"),
    ("vessel", r"\b(bottle|flacon|vase|glass|cup|mug)$"),
)  # fmt: skip
"""Class and the names that belong to it; the first that fits counts, most objects fit none.

Windows and wall plates are left out: nearly all of them are variants of three models.
"""
NOT: Final = r"football table|pool table|wheelchair|changing"


def class_of(name: str) -> str:
    """The class of an object by its English name in the catalogue; empty where it has none."""
    name = name.lower()
    if re.search(NOT, name):
        return ""
    return next((label for label, pattern in CLASSES if re.search(pattern, name)), "")


def family_of(cloud: str, label: str) -> str:
    """Objects that may be variants of one model: same library, class and first word of the model.

    The word that a model's folder begins with, without numbers: ``sitMale01`` and ``sitFemale02``
    are one family.
    """
    library, path = cloud.split(".sh3f:")
    model = path.split("/")[1]
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+", model)] or [model]
    return f"{library} {label} {words[0]}"


def furniture(points: int = 1024, draw: int = 0) -> Clouds:
    """All 820 objects, with the columns ``class`` (empty for most) and ``family``.

    The first call parses 350 MB of meshes and keeps the clouds beside the downloaded data sets;
    later ones, also of other processes, read those. The same files, ``points`` and ``draw`` always
    give the same clouds.

    Raises:
        InputError: the data set is not on this machine.
    """
    paths = FURNITURE.paths()
    settings = CloudSource.of(points=points, draw=draw)
    wanted = [READ_OUT, settings.model_dump_json(), *(f.sha256 for f in FURNITURE.editions[0])]
    key = hashlib.sha256(repr(wanted).encode()).hexdigest()[:16]
    kept = cache_folder() / f"furniture-{key}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in arrays.files}
    else:
        read = read_clouds([str(path) for path in paths], settings)
        table = {name: read.table[name].to_numpy().astype(np.str_) for name in read.table.columns}
        table["cloud"] = np.array(
            [Path(cloud).relative_to(paths[0].parent).as_posix() for cloud in table["cloud"]]
        )
        columns = {"points": read.points, **table}
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(".partial")
        with beside.open("wb") as file:
            np.savez_compressed(file, **columns)
        beside.replace(kept)
    drawn = columns.pop("points")
    table = pl.DataFrame({name: values.astype(object) for name, values in columns.items()}).cast(
        pl.String
    )
    labels = [class_of(name) for name in table["name"]]
    families = [family_of(*each) for each in zip(table["cloud"], labels, strict=True)]
    return Clouds(
        drawn, table.with_columns(pl.Series("class", labels), pl.Series("family", families))
    )
