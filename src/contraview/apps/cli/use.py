"""The verbs with one answer an item: items keep their order and gain columns."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import polars as pl
from tyro.conf import arg

from contraview.apps.batch.answers import answered, loaded
from contraview.apps.batch.tables import need_table_name, write
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.run import Advance, Run

RAY: Final = (
    "answer on a Ray cluster (extra 'ray'): 'auto', HOST:PORT, ray://HOST:PORT, or 'local' for one "
    "of this machine; model, data and --out must lie under the same path on every machine"
)


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
        ray=(Annotated[str | None, arg(help=RAY)], None),
    )
    if not chosen.data:
        raise InputError(f"contraview {verb}: no data; expected files after the model")
    if chosen.ray is not None and chosen.out is None:
        raise InputError(f"contraview {verb}: --ray writes to a file; expected --out as well")
    need_table_name(chosen.out)
    system = loaded(verb, chosen.model)
    data = system.stream(chosen.data)
    if chosen.ray is None:
        tables = (answered(verb, system, part) for part in data.parts())
    else:
        from contraview.apps.batch.cluster import on_cluster

        tables = on_cluster(chosen.ray, verb, chosen.model, chosen.data, data, chosen.out)
    # A bar between rows on the same screen would tear both.
    seen = sys.stderr.isatty() and not (chosen.out is None and sys.stdout.isatty())
    progress = Run(show=seen).progress(verb, len(data) if seen else 0)
    with progress as advance, closing(tables):  # a cluster is left before the command ends
        write(_counted(tables, advance), chosen.out)
    return 0


def _counted(tables: Iterable[pl.DataFrame], advance: Advance) -> Iterator[pl.DataFrame]:
    for table in tables:
        yield table
        advance(table.height)
