"""What the shared suite needs to know of a system: tiny data, quick settings, how it is asked.

The test file of each system, ``test_SLUG.py``, says it as ``TINY``.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TESTS = Path(__file__).parents[1]
FOLDERS = ("systems", "apps/detection")
ROW_WISE = ("embed", "score", "classify", "cluster", "regress")
"""The verbs that give one answer an item."""


@dataclass(frozen=True)
class Tiny:
    """A data set that fits in a test, and settings that take a second on it.

    Attributes:
        data: makes what `fit` takes, as the wing's reader gives it, the same at every call.
        knobs: settings of the system.
        labels: makes the labels that `fit` is given, where the system learns from them.
        ask: how a verb is asked where ``system.verb(data)`` is not it.
        wrong: what `fit` must refuse.
        seeded: other seeds give other results.
    """

    data: Callable[[], Any]
    knobs: Mapping[str, Any] = field(default_factory=dict)
    labels: Callable[[], Any] | None = None
    ask: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    wrong: tuple[Any, ...] = ("no/such/file.csv", "", [], 3.5)
    seeded: bool = True

    def fit(self, system: Any, run: Any) -> Any:
        """``system``, fitted on the tiny data."""
        told = {} if self.labels is None else {"labels": self.labels()}
        return system.fit(self.data(), run=run, **told)

    def answer(self, system: Any, verb: str) -> list[np.ndarray]:
        """What ``system`` says when asked, as arrays."""
        ask = self.ask.get(verb)
        return arrays(ask(system) if ask else getattr(system, verb)(self.data()))


def arrays(answer: Any) -> list[np.ndarray]:
    """The arrays that an answer of any verb is made of."""
    if isinstance(answer, pl.DataFrame):
        return [answer[column].to_numpy() for column in answer.columns]
    if isinstance(answer, Mapping):
        return [np.asarray(list(answer)), np.asarray(list(answer.values()))]
    if isinstance(answer, tuple | list):
        return [np.asarray(part) for part in answer]
    return [np.asarray(answer)]


def of(slug: str) -> Tiny:
    """The ``TINY`` of a system's test file."""
    name = f"tiny_{slug}"
    if name not in sys.modules:
        path = next(p for f in FOLDERS if (p := TESTS / f / f"test_{slug}.py").is_file())
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].TINY
