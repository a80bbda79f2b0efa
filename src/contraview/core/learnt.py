"""What a fitted system knows: arrays, tables and facts. This, and nothing else, goes to disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl


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
