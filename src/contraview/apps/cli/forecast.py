"""`contraview forecast`: the rows that follow the end of a series."""

from pathlib import Path

from contraview.apps.batch.answers import loaded
from contraview.apps.batch.tables import need_table_name, write
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Load the model, read the series as it was read for the fit, write what comes next."""
    chosen = parse(
        "contraview forecast",
        "The rows after the last one of DATA, in its units; CSV on stdout without --out.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        out=(Path | None, None),
    )
    if not chosen.data:
        raise InputError("contraview forecast: no data; expected a table after the model")
    need_table_name(chosen.out)
    system = loaded(verb, chosen.model)
    write([system.forecast(system.read(chosen.data))], chosen.out)
    return 0
