"""A system: settings, a `fit`, the verbs it has, and a folder on disk."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from contraview.core import config
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.model_folder import Model, write_model
from contraview.core.processes import is_main
from contraview.core.version import __version__

S = TypeVar("S", bound="System")


class System(ABC):
    """One published method. The constructor stores settings, `fit` learns, verbs use.

    A system names its ``slug`` (as in the catalog), its ``Config``, its presets (values, never a
    branch in code) and its ``Source``: the settings by which the command reads the user's data.
    It implements `fit`, `learnt` and `restore`; every other ability is a verb (see
    `contraview.core.verbs`).
    """

    slug: ClassVar[str]
    Config: ClassVar[type[config.Config]]
    Source: ClassVar[type[config.Config]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"small": {}}

    def __init__(self, **knobs: Any) -> None:
        self.config: Any = self.Config.of(**knobs)
        self.source: Any = self.Source()

    @classmethod
    def preset(cls: type[S], name: str, **knobs: Any) -> S:
        """The system with the settings of a preset, and ``knobs`` on top."""
        if name not in cls.presets:
            raise InputError(f"{cls.slug}: no preset {name!r}; there are {', '.join(cls.presets)}")
        return cls(**{**cls.presets[name], **knobs})

    @abstractmethod
    def fit(self, data: Any, /, *, run: Any = None) -> "System":
        """Learn from ``data``; returns itself. ``run`` brings seed, folder and progress."""

    @property
    @abstractmethod
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""

    @abstractmethod
    def learnt(self) -> Learnt:
        """What `fit` learnt, as arrays, tables and facts."""

    @abstractmethod
    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""

    @classmethod
    def describe(cls, data: Any) -> list[str]:  # noqa: ARG003 a system without data has nothing
        """What is worth knowing about ``data`` before it is learnt from, in sentences."""
        return []

    def read(self, data: Any) -> Any:
        """The user's data, read by the settings that the system's own data was read by."""
        return self.source.read(data)

    def stream(self, data: Any) -> Any:
        """As `read`, for a single pass over its ``parts``: what may stay on disk stays there."""
        return getattr(self.source, "stream", self.source.read)(data)

    def save(self, folder: Path | str) -> Path:
        """Write the fitted system to a folder that `contraview.load` reads.

        Of several processes the main one writes.
        """
        self.need_fit()
        folder = Path(folder)
        if not is_main():
            return folder
        write_model(
            folder,
            slug=self.slug,
            config=self.config.model_dump(mode="json"),
            source=self.source.model_dump(mode="json"),
            learnt=self.learnt(),
            version=__version__,
        )
        return folder

    @classmethod
    def from_model(cls: type[S], model: Model) -> S:
        """The fitted system that a model folder holds.

        Raises:
            InputError: its parts do not fit each other.
        """
        from contraview.core.restoring import (
            restoring,  # torch is imported with a model, not before
        )

        with restoring(cls.slug, model.learnt):
            system = cls(**model.config)
            system.source = cls.Source.of(**model.source)
            system.restore(model.learnt)
        return system

    def need_fit(self) -> None:
        """Raise an `InputError` where the system has not been fitted."""
        if not self.fitted:
            raise InputError(f"{self.slug}: not fitted yet; call fit or contraview.load first")
