"""`contraview data`: the known data sets, and where each lies on this machine."""

import sys

from contraview.core.errors import InputError
from contraview.modalities import datasets

USAGE = "usage: contraview data list\n       contraview data get NAME\n"


def run(_verb: str, arguments: list[str]) -> int:
    """List the data sets, or bring one to this machine and print its files."""
    match arguments:
        case ["-h"] | ["--help"]:
            sys.stdout.write(USAGE)
        case ["list"]:
            for each in datasets.known():
                place = each.place() or "not on this machine"
                kind = "" if each.real else " (simulated)"
                sys.stdout.write(f"{each.name}{kind}: {each.about}\n")
                sys.stdout.write(f"    licence: {each.licence}\n    {place}\n")
        case ["get", name]:
            for path in datasets.find(name).get():
                sys.stdout.write(f"{path}\n")
        case _:
            raise InputError("contraview data: expected `list`, or `get` and a name")
    return 0
