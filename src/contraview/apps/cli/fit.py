"""`contraview fit`: learn from the user's data, write a model folder."""

import sys
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from contraview import catalog
from contraview.apps.cli import splits
from contraview.apps.cli.arguments import Positional, flags_of, parse
from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.lineage import note
from contraview.core.plain_text import visible
from contraview.core.processes import is_main
from contraview.core.run import Run
from contraview.training.checkpoint import clear_checkpoints


def run(_verb: str, arguments: list[str]) -> int:
    """Fit the system that the first argument names."""
    if not arguments or arguments[0].startswith("-"):
        if arguments in (["-h"], ["--help"]):
            sys.stdout.write("usage: contraview fit SLUG DATA... --out DIR; see fit SLUG --help\n")
            return 0
        raise InputError("contraview fit: expected a system first, as in `contraview fit clan`")
    slug, *rest = arguments
    cls = catalog.find(slug).load_class()
    preset = _preset(rest)
    chosen = parse(
        f"contraview fit {slug}",
        cls.__doc__ or "",
        rest,
        data=(Positional[tuple[str, ...]], ()),
        out=(Path, ...),
        preset=(str, "small"),
        seed=(int, 0),
        split=(Literal["none", "random", "time", "group"], "none"),
        checkpoint_every=(Annotated[int, Field(ge=1)], 500),
        source=flags_of(cls.Source()),
        knobs=flags_of(cls.preset(preset).config),
    )
    if not chosen.data:
        raise InputError(f"contraview fit {slug}: no data; expected files after the system's name")
    return fit(cls, chosen.data, chosen)


def fit(cls: Any, data: tuple[str, ...], chosen: Any) -> int:
    """Read, split, fit, save."""
    system = cls(**chosen.knobs.model_dump())
    run = Run(chosen.out, seed=chosen.seed, checkpoint_every=chosen.checkpoint_every)
    rows = chosen.source.read(data)
    run.log("fit", system=cls.slug, seed=chosen.seed, config=_plain(system.config))
    if chosen.split != "none":
        rows = splits.make(rows, chosen.split, chosen.seed, chosen.out)
    for line in cls.describe(rows) if is_main() else ():
        sys.stderr.write(f"{visible(line)}\n")
    told = getattr(chosen.source, "labels", None) and "labels" in signature(cls.fit).parameters
    system.fit(rows, run=run, **({"labels": rows.labels()} if told else {}))
    system.source = chosen.source
    system.save(chosen.out)
    if not is_main():
        return 0
    note(chosen.out, f"fit {cls.slug}")
    clear_checkpoints(run)
    run.log("saved")
    sys.stdout.write(f"{chosen.out}\n")
    return 0


def _plain(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _preset(arguments: list[str]) -> str:
    """The preset asked for, ahead of all else: the defaults of the other flags hang on it."""
    for flag, value in pairwise(arguments):
        if flag == "--preset":
            return value
    return "small"
