"""`contraview report`: a page about a run."""

import sys
from pathlib import Path

from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError


def run(_verb: str, arguments: list[str]) -> int:
    """Write the page, print its path."""
    chosen = parse(
        "contraview report",
        "One HTML file that opens offline, about the folder that `contraview demo` or "
        "`contraview fit` wrote. --data shows images as a model of images sees them: views, "
        "nearest neighbours, a map. Addresses and ports are left out unless asked for.",
        arguments,
        run=(Positional[Path], ...),
        data=(tuple[str, ...], ()),
        out=(Path | None, None),
        with_addresses=(bool, False),
    )
    if not chosen.run.is_dir():
        raise InputError(f"{chosen.run}: no such folder; expected what demo or fit wrote")
    from contraview.apps.report.report import write_report

    page = write_report(
        chosen.run, data=chosen.data, out=chosen.out, with_addresses=chosen.with_addresses
    )
    sys.stdout.write(f"{page}\n")
    return 0
