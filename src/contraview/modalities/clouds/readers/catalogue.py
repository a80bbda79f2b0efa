"""Furniture libraries of Sweet Home 3D (.sh3f): a zip of OBJ models and a catalogue of them."""

import io
import lzma
import re
import zipfile
import zlib
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.expansion import check_expansion
from contraview.modalities.clouds.readers.obj import read_obj
from contraview.modalities.clouds.shape import Shape

CATALOGUE = "PluginFurnitureCatalog.properties"
FACTS = ("name", "category", "creator", "license")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_ENTRY = re.compile(r"\s*(\w+)#(\d+)\s*=\s*(.*)")


def read_catalogue(content: bytes, name: str) -> list[Shape]:
    """Every model of a library, turned upright, with its name, category, creator and licence.

    Raises:
        InputError: no library, a model that is missing, or one that is no OBJ file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as library:
            unpacked = sum(member.file_size for member in library.infolist())
            check_expansion(name, len(content), unpacked)
            entries = _entries(library.read(CATALOGUE))
            return [_model(library, entry, name) for entry in entries]
    except zipfile.BadZipFile:
        raise InputError(f"{name}: is no zip; expected a furniture library") from None
    except KeyError as missing:
        raise InputError(f"{name}: lacks {missing.args[0]}") from None
    except (OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{name}: cannot be unpacked: {error}") from None


def _entries(properties: bytes) -> list[dict[str, str]]:
    """What the catalogue says of each model, in its order."""
    text = properties.decode("latin-1")
    entries: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        found = _ENTRY.fullmatch(line.rstrip())
        if found:
            key, number, value = found.groups()
            if "\\" in value:
                value = _ESCAPE.sub(lambda code: chr(int(code[1], 16)), value)
            entries.setdefault(int(number), {})[key] = value
    return [entries[number] for number in sorted(entries)]


def _model(library: zipfile.ZipFile, entry: dict[str, str], name: str) -> Shape:
    path = entry["model"].lstrip("/")
    shape = read_obj(library.read(path), f"{name}:{path}")
    facts = {fact: entry[fact] for fact in FACTS if fact in entry}
    turned = shape.vertices
    if "modelRotation" in entry:
        turned = turned @ _rotation(entry["modelRotation"], f"{name}:{path}").T
    return replace(shape, vertices=turned, facts=facts)


def _rotation(told: str, where: str) -> Float[np.ndarray, "3 3"]:
    try:
        return np.array(told.split(), float).reshape(3, 3)
    except ValueError:
        raise InputError(f"{where}: modelRotation {told[:40]!r}; expected nine numbers") from None
