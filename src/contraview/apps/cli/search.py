"""`contraview search`: for each query the most similar items of a collection."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from contraview.apps.batch.answers import loaded
from contraview.apps.batch.tables import need_table_name, write
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Write one row a query and item found, most similar first."""
    chosen = parse(
        "contraview search",
        "For each item of DATA the --k most similar items --among others; without --among, of what "
        "the model was fitted on, where it keeps that.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        among=(tuple[str, ...], ()),
        k=(int, 10),
        out=(Path | None, None),
    )
    if not chosen.data:
        raise InputError("contraview search: no data; expected queries after the model")
    need_table_name(chosen.out)
    system = loaded(verb, chosen.model)
    among = system.read(chosen.among) if chosen.among else None
    queries = system.read(chosen.data)
    found, similarity = system.search(queries, among=among, k=chosen.k)
    write([table(found, similarity, _items(system, among))], chosen.out)
    return 0


def _items(system: Any, among: Any) -> pl.DataFrame | None:
    """What was searched, one row an item; None where the model keeps no word about it."""
    if among is not None:
        return among.collect()
    return system.kept() if hasattr(system, "kept") else None


def table(found: np.ndarray, similarity: np.ndarray, items: pl.DataFrame | None) -> pl.DataFrame:
    """Query and item numbers (from 0), rank (from 1), similarity, and what the item is."""
    queries, k = found.shape
    ranked = pl.DataFrame(
        {
            "query": np.repeat(np.arange(queries), k),
            "rank": np.tile(np.arange(1, k + 1), queries),
            "item": found.ravel(),
            "similarity": similarity.ravel(),
        }
    )
    if items is None:
        return ranked
    about = items[found.ravel()].rename(lambda name: f"item_{name}")
    return pl.concat([ranked, about], how="horizontal")
