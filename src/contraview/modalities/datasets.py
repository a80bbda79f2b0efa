"""The data sets that examples, claims and tests are measured on, of every wing.

Licences are of the data, and as far as they are known: read the owners' terms before you pass
anything on. A wing lists its own in its module ``datasets``, as ``DATASETS``.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from contraview import modalities
from contraview.core.datasets import Dataset
from contraview.core.errors import InputError


def known() -> tuple[Dataset, ...]:
    """All data sets, wing by wing, in the order in which to list them."""
    found: list[Dataset] = []
    for wing in iter_modules(modalities.__path__, f"{modalities.__name__}."):
        if wing.ispkg and find_spec(f"{wing.name}.datasets") is not None:
            found += import_module(f"{wing.name}.datasets").DATASETS
    return tuple(found)


def find(name: str) -> Dataset:
    """The data set called ``name``; an `InputError` lists them where there is none."""
    every = known()
    for each in every:
        if each.name == name:
            return each
    raise InputError(f"no data set {name!r}; there are {', '.join(each.name for each in every)}")


def dataset(name: str, folder: Path | str | None = None) -> list[Path]:
    """The files of the data set ``name``, for its wing's reader.

    Args:
        name: as in `known`.
        folder: look here alone; otherwise in $CONTRAVIEW_DATA, the cache and the package.

    Raises:
        InputError: there is no such data set, or it is not on this machine.
    """
    return find(name).paths(folder)
