"""contraview: published self-supervised systems behind one interface.

``contraview.load(folder)`` gives back a fitted system; ``contraview.Clan`` and every other system
of the catalog is found by its class name. Nothing heavy is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

from contraview.core.version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: "Path | str") -> Any:
    """The fitted system that ``folder`` holds. Loading runs no code of the folder."""
    from pathlib import Path

    from contraview.catalog import find
    from contraview.core.model_folder import read_model

    model = read_model(Path(folder))
    return find(model.slug).load_class().from_model(model)


def __getattr__(name: str) -> Any:
    if name[0].isupper():
        from contraview.catalog import ENTRIES

        for entry in ENTRIES:
            if entry.class_name == name:
                return entry.load_class()
    raise AttributeError(f"module 'contraview' has no attribute {name!r}")
