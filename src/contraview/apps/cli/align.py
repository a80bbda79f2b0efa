"""`contraview align`: where each sequencing read lies on the reference, as SAM."""

import sys
from pathlib import Path

from contraview.apps.batch.answers import loaded
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.whole_file import write_bytes


def run(verb: str, arguments: list[str]) -> int:
    """Load the model, read the reads, place them, write SAM."""
    chosen = parse(
        "contraview align",
        "Places reads on the model's reference, or on another --reference; SAM on stdout without "
        "--out.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        reference=(tuple[str, ...], ()),
        out=(Path | None, None),
    )
    if not chosen.data:
        raise InputError("contraview align: no data; expected reads after the model")
    if chosen.out and chosen.out.suffix != ".sam":
        raise InputError(f"{chosen.out}: expected a name that ends in .sam")
    from contraview.modalities.sequences import sam

    system = loaded(verb, chosen.model)
    reference = system.read(chosen.reference) if chosen.reference else None
    table = system.align(system.read(chosen.data), reference=reference)
    text = system.references(reference) + sam.records(table)
    if chosen.out is None:
        sys.stdout.write(text)
        return 0
    write_bytes(chosen.out, text.encode())
    sys.stdout.write(f"{chosen.out}\n")
    return 0
