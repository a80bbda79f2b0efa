"""`contraview audit`: figures about a weakness that a model may have."""

import sys
from inspect import signature
from pathlib import Path
from typing import Annotated

import tyro

from contraview.apps.batch.answers import loaded
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.whole_file import write_json


def run(verb: str, arguments: list[str]) -> int:
    """Print one figure a line, or write them as one flat JSON object."""
    chosen = parse(
        "contraview audit",
        "Looks for a weakness of MODEL by means of DATA, or for those of the models DATA by means "
        "of the bench MODEL, as its system describes.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
        plot=(Path | None, None),
    )
    if not chosen.data:
        raise InputError("contraview audit: no data; expected files after the model")
    system = loaded(verb, chosen.model)
    told = {} if chosen.plot is None else {"plot": chosen.plot}
    if told and "plot" not in signature(system.audit).parameters:
        raise InputError(f"{chosen.model}: {system.slug} draws nothing; leave --plot out")
    figures = system.audit(system.read(chosen.data), **told)
    if chosen.figures:
        write_json(chosen.figures, figures)
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        sys.stdout.write(f"{name:<{width}} {value:.4f}\n")
    return 0
