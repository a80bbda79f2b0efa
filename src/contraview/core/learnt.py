"""What a fitted system knows: arrays, tables and facts. This, and nothing else, goes to disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from contraview.core.errors import InputError

_LARGEST: Final = 1 << 31


def demand(holds: bool | np.bool_, what: str) -> None:
    """Refuse stored parts that do not fit: a model folder may be written by anybody.

    Raises:
        InputError: ``what`` is so, as ``holds`` is false.
    """
    if not holds:
        raise InputError(f"{what}; the model folder is damaged or no fit wrote it")


def texts(value: Any, what: str) -> tuple[str, ...]:
    """A stored list of names; an `InputError` calls it ``what`` where it is none."""
    demand(isinstance(value, list) and all(isinstance(v, str) for v in value), f"{what}: no names")
    return tuple(value)


def sizes(value: Any, count: int, what: str) -> tuple[int, ...]:
    """A stored list of so many sizes of an array; an `InputError` calls it ``what`` if it is none.

    Args:
        value: as JSON gave it.
        count: how many there are.
        what: what to call it.
    """
    fits = isinstance(value, list) and len(value) == count
    demand(
        fits and all(type(side) is int and 0 < side < _LARGEST for side in value),
        f"{what}: no {count} sizes",
    )
    return tuple(value)


def array(arrays: Mapping[str, np.ndarray], name: str, axes: int, kinds: str = "f") -> np.ndarray:
    """A stored array of so many axes, of a NumPy kind among ``kinds``; finite where not told else.

    Raises:
        InputError: it is missing or another one.
    """
    found = arrays.get(name)
    demand(
        found is not None and found.ndim == axes and found.dtype.kind in kinds,
        f"{name}: no array of {axes} axes of the kind that was learnt",
    )
    assert found is not None
    demand(found.dtype.kind != "f" or np.isfinite(found).all(), f"{name}: numbers not finite")
    return found


@dataclass
class Learnt:
    """The learnt part of a system.

    Attributes:
        arrays: name to array (network weights, centroids, thresholds); saved as safetensors.
        tables: name to table (reference rows, splits, findings); saved as Parquet.
        facts: small JSON values (input columns, data fingerprint, counts).
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Mapping[str, "Learnt"]) -> "Learnt":
        """One `Learnt` that holds several, each under its name; `part` takes them apart again."""
        whole = cls()
        for name, part in parts.items():
            whole.arrays |= {f"{name}.{key}": value for key, value in part.arrays.items()}
            whole.tables |= {f"{name}.{key}": value for key, value in part.tables.items()}
            whole.facts[name] = part.facts
        return whole

    def part(self, name: str) -> "Learnt":
        """What `joined` stored under ``name``."""

        def under(mapping: dict[str, Any]) -> dict[str, Any]:
            prefix = f"{name}."
            return {
                key.removeprefix(prefix): value
                for key, value in mapping.items()
                if key.startswith(prefix)
            }

        return Learnt(under(self.arrays), under(self.tables), self.facts[name])
