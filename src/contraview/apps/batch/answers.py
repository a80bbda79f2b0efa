"""What a fitted system says of each item, as columns beside it."""

from pathlib import Path
from typing import Any, Final

import polars as pl

import contraview
from contraview.core.errors import InputError
from contraview.core.verbs import VERBS

COLUMN: Final = {"score": "score", "cluster": "cluster", "regress": "predicted"}


def loaded(verb: str, folder: Path) -> Any:
    """The fitted system in ``folder``, which has that verb."""
    system = contraview.load(folder)
    if not isinstance(system, VERBS[verb]):
        raise InputError(f"{folder}: {system.slug} has no verb {verb!r}")
    return system


def answered(verb: str, system: Any, part: Any) -> pl.DataFrame:
    """Items as rows, in order, with the columns of a verb beside what is known of them."""
    return pl.concat([part.collect(), columns(verb, system, part)], how="horizontal")


def columns(verb: str, system: Any, data: Any) -> pl.DataFrame:
    """What a verb says of each item, as columns."""
    if verb == "classify" and hasattr(system, "classified"):  # it says more than probabilities
        return system.classified(data)
    answer = getattr(system, verb)(data)
    if verb == "embed":
        return pl.DataFrame(answer, schema=[f"e{i}" for i in range(answer.shape[1])])
    if verb == "classify":
        if getattr(system, "several", False):
            likely = [";".join(c for c, p in zip(system.classes, row, strict=True) if p >= 0.5)
                      for row in answer]  # fmt: skip
        else:
            likely = [system.classes[i] for i in answer.argmax(axis=1)]
        names = pl.Series("predicted", likely, dtype=pl.String)
        each = {f"p_{name}": answer[:, i] for i, name in enumerate(system.classes)}
        return pl.DataFrame({"predicted": names, **each})
    return pl.DataFrame({COLUMN[verb]: answer})
