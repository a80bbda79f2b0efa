"""`contraview audit`: figures about a weakness that a model may have."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.cli.use import loaded
from contraview.core.errors import InputError
from contraview.core.model_folder import write_json


def run(verb: str, arguments: list[str]) -> int:
    """Print one figure a line, or write them as one flat JSON object."""
    chosen = parse(
        "contraview audit",
        "Looks for a weakness of MODEL by means of DATA, as its system describes.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
    )
    if not chosen.data:
        raise InputError("contraview audit: no data; expected files after the model")
    system = loaded(verb, chosen.model)
    figures = system.audit(system.read(chosen.data))
    if chosen.figures:
        write_json(chosen.figures, figures)
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        sys.stdout.write(f"{name:<{width}} {value:.4f}\n")
    return 0
