"""The verbs with one answer an item: items keep their order and gain columns."""

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
COLUMN = {"score": "score", "cluster": "cluster", "regress": "predicted"}


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
    need_table_name(chosen.out)
    system = loaded(verb, chosen.model)
    data = system.read(chosen.data)
    tables = (
        pl.concat([part.collect(), columns(verb, system, part)], how="horizontal")
        for part in data.parts()
    )
    write(tables, chosen.out)
    return 0


def loaded(verb: str, folder: Path) -> Any:
    """The fitted system in ``folder``, which has that verb."""
    system = contraview.load(folder)
    if not isinstance(system, VERBS[verb]):
        raise InputError(f"{folder}: {system.slug} has no verb {verb!r}")
    return system


def need_table_name(out: Path | None) -> None:
    """Refuse a file name that does not say which format to write, before any work is done."""
    if out and out.suffix not in FORMATS:
        raise InputError(f"{out}: expected a name that ends in {', '.join(FORMATS)}")


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
