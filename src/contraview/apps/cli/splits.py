"""`--split`: which rows a model may learn from, kept beside it so that `evaluate` uses the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from contraview.core.errors import InputError
from contraview.core.processes import is_main
from contraview.core.whole_file import write_json
from contraview.evaluation.splits import group_split, random_split, time_split

FILE = "split.json"
FIT_SHARE = 0.5


def make(data: Any, kind: str, seed: int, folder: Path) -> Any:
    """Split ``data`` in half, keep the row numbers in ``folder``, give back the half to fit on.

    ``random`` keeps the shares of the classes where there are labels, as the paper's protocol
    does; ``time`` learns from the earlier half; ``group`` keeps all of a subject's items together.
    """
    if kind == "group":
        if not hasattr(data, "groups"):
            raise InputError("--split group: the data does not say whose an item is")
        fit, test = group_split(data.groups(), (FIT_SHARE, 1 - FIT_SHARE), seed)
    elif kind == "random":
        if hasattr(data, "groups"):
            raise InputError(
                "--split random: a subject's items would fall on both sides; expected --split group"
            )
        strata = data.labels() if data.label else len(data)
        fit, test = random_split(strata, (FIT_SHARE, 1 - FIT_SHARE), seed)
    else:
        if not getattr(data, "time", None):
            raise InputError("--split time: the data has no time column; name one with --time")
        times = data.collect(pl.col(data.time))[data.time].to_numpy()
        fit, test = time_split(times, (FIT_SHARE, 1 - FIT_SHARE))
    if not is_main():
        return data.take(fit)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / FILE,
        {
            "kind": kind,
            "seed": seed,
            "fingerprint": data.fingerprint(),
            "fit": fit.tolist(),
            "test": test.tolist(),
        },
    )
    return data.take(fit)


def held_out(data: Any, folder: Path) -> Any:
    """The rows of ``data`` that the model in ``folder`` was not fitted on; all of them where it
    was fitted without a split, or on other data.
    """
    import json

    path = folder / FILE
    if not path.is_file():
        return data
    split = json.loads(path.read_text())
    if split["fingerprint"] != data.fingerprint():
        return data
    return data.take(np.asarray(split["test"], dtype=np.int64))
