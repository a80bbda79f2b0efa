"""The verbs with one answer an item: items keep their order and gain columns."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from contraview.apps.batch.answers import answered, loaded
from contraview.apps.batch.tables import need_table_name, write
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.run import Advance, Run


def run(verb: str, arguments: list[str]) -> int:
    """Load the model, read the data as it was read for the fit, add the columns, write."""
    chosen = parse(
        f"contraview {verb}",
        f"Adds the columns of `{verb}` to the rows of DATA, part by part; CSV on stdout without "
        "--out.",
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
    tables = (answered(verb, system, part) for part in data.parts())
    # A bar between rows on the same screen would tear both.
    seen = sys.stderr.isatty() and not (chosen.out is None and sys.stdout.isatty())
    with Run(show=seen).progress(verb, len(data) if seen else 0) as advance:
        write(_counted(tables, advance), chosen.out)
    return 0


def _counted(tables: Iterable[pl.DataFrame], advance: Advance) -> Iterator[pl.DataFrame]:
    for table in tables:
        yield table
        advance(table.height)
