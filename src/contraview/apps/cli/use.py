"""`embed`, `score`, `classify`: a fitted system on rows; they keep their order and gain columns."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from pyarrow.parquet import ParquetWriter

import contraview
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.verbs import VERBS

FORMATS = (".csv", ".parquet", ".jsonl", ".ndjson")


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
    if chosen.out and chosen.out.suffix not in FORMATS:
        raise InputError(f"{chosen.out}: expected a name that ends in {', '.join(FORMATS)}")
    system = contraview.load(chosen.model)
    if not isinstance(system, VERBS[verb]):
        raise InputError(f"{chosen.model}: {system.slug} has no verb {verb!r}")
    data = system.read(chosen.data)
    tables = (
        pl.concat([part.collect(), columns(verb, system, part)], how="horizontal")
        for part in data.parts()
    )
    write(tables, chosen.out)
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


def write(tables: Iterable[pl.DataFrame], out: Path | None) -> None:
    """Write tables one under the other, in constant memory, in the format the name says.

    A file appears under its name once it is whole; without a name it is CSV on stdout.
    """
    if out is None:
        for number, table in enumerate(tables):
            sys.stdout.write(table.write_csv(include_header=number == 0))
        return
    beside = out.with_name(f"{out.name}.partial")
    try:
        _write_file(tables, beside, out.suffix)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    sys.stdout.write(f"{out}\n")


def _write_file(tables: Iterable[pl.DataFrame], path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        writer = None
        for table in tables:
            rows = table.to_arrow()
            writer = writer or ParquetWriter(path, rows.schema)
            writer.write_table(rows)
        if writer is not None:
            writer.close()
        return
    with path.open("w") as file:
        for number, table in enumerate(tables):
            csv = suffix == ".csv"
            text = table.write_csv(include_header=number == 0) if csv else table.write_ndjson()
            file.write(text)
