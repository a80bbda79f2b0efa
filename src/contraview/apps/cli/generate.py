"""`contraview generate`: new items, like references where these are given."""

import sys
from pathlib import Path

from contraview.apps.batch.answers import loaded
from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.cli.pictures import names_of, need_new_folder, write_png
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Write one PNG an item."""
    chosen = parse(
        "contraview generate",
        "Writes --count new images for each of REFERENCES to the folder --out, NAME_0.png, "
        "NAME_1.png, ...; without references --count images of whatever kind.",
        arguments,
        model=(Positional[Path], ...),
        references=(Positional[tuple[str, ...]], ()),
        out=(Path, ...),
        count=(int, 1),
        seed=(int, 0),
    )
    if chosen.count < 1:
        raise InputError(f"contraview generate: --count {chosen.count}; expected at least 1")
    need_new_folder(chosen.out)
    system = loaded(verb, chosen.model)
    references = system.read(chosen.references) if chosen.references else None
    made = system.generate(references, count=chosen.count, seed=chosen.seed)
    names = ["made.png"] if references is None else names_of(references)
    for number, pixels in enumerate(made):
        row, copy = divmod(number, chosen.count)
        name = Path(names[row])
        write_png(chosen.out / name.with_name(f"{name.stem}_{copy}.png"), pixels)
    sys.stdout.write(f"{chosen.out}\n")
    return 0
