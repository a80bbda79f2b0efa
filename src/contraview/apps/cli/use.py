"""`embed`, `score`, `classify`: a fitted system on rows; they keep their order and gain columns."""

import sys
from pathlib import Path
from typing import Any

import polars as pl

import contraview
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.verbs import VERBS

WRITERS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "ndjson", ".ndjson": "ndjson"}


def run(verb: str, arguments: list[str]) -> int:
    """Load the model, read the data as it was read for the fit, add the columns, write."""
    chosen = parse(
        f"contraview {verb}",
        f"Adds the columns of `{verb}` to the rows of DATA; CSV on stdout without --out.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        out=(Path | None, None),
    )
    if not chosen.data:
        raise InputError(f"contraview {verb}: no data; expected files after the model")
    if chosen.out and chosen.out.suffix not in WRITERS:
        raise InputError(f"{chosen.out}: expected a name that ends in {', '.join(WRITERS)}")
    system = contraview.load(chosen.model)
    if not isinstance(system, VERBS[verb]):
        raise InputError(f"{chosen.model}: {system.slug} has no verb {verb!r}")
    data = system.read(chosen.data)
    write(pl.concat([data.collect(), columns(verb, system, data)], how="horizontal"), chosen.out)
    return 0


def columns(verb: str, system: Any, data: Any) -> pl.DataFrame:
    """What a verb says of each row, as columns."""
    if verb == "score":
        return pl.DataFrame({"score": system.score(data)})
    if verb == "embed":
        vectors = system.embed(data)
        return pl.DataFrame(vectors, schema=[f"e{i}" for i in range(vectors.shape[1])])
    chances = system.classify(data)
    best = chances.argmax(axis=1)
    names = pl.Series("predicted", [system.classes[i] for i in best], dtype=pl.String)
    each = {f"p_{name}": chances[:, i] for i, name in enumerate(system.classes)}
    return pl.DataFrame({"predicted": names, **each})


def write(table: pl.DataFrame, out: Path | None) -> None:
    """Write a table whole or not at all, in the format its name says; CSV to stdout without one."""
    if out is None:
        table.write_csv(sys.stdout)
        return
    beside = out.with_name(f"{out.name}.partial")
    try:
        getattr(table, f"write_{WRITERS[out.suffix]}")(beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    sys.stdout.write(f"{out}\n")
