"""`contraview list` and `contraview info`: the catalog, with what the claims showed."""

import json
import sys

from contraview import catalog
from contraview.catalog import Entry
from contraview.claims import results
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Print the catalog, or one system of it."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write("usage: contraview list [--json]\n       contraview info SLUG\n")
        return 0
    if verb == "info":
        if len(arguments) != 1:
            raise InputError("contraview info: expected one system, as in `contraview info clan`")
        sys.stdout.write(_about(catalog.find(arguments[0])))
        return 0
    if arguments not in ([], ["--json"]):
        raise InputError(f"contraview list: {arguments[0]!r}: expected nothing, or --json")
    sys.stdout.write(_as_json() if arguments else _as_table())
    return 0


def _state(entry: Entry) -> str:
    return results.state(entry.slug) if entry.built else "not built"


def _as_json() -> str:
    rows = [
        {
            "slug": entry.slug,
            "name": entry.name,
            "paper": entry.paper,
            "modality": entry.modality,
            "verbs": entry.verbs.split(),
            "kind": entry.kind,
            "state": _state(entry),
        }
        for entry in catalog.ENTRIES
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _as_table() -> str:
    head = ("SLUG", "MODALITY", "VERBS", "CLAIMS")
    rows = [
        (entry.slug, entry.modality, "fit " + entry.verbs, _state(entry))
        for entry in catalog.ENTRIES
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(3)]
    lines = (
        "  ".join((*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]))
        for row in (head, *rows)
    )
    return "\n".join(lines) + "\n"


def _about(entry: Entry) -> str:
    lines = [
        f"{entry.slug}: {entry.name}",
        f"  paper     {entry.paper}",
        f"  modality  {entry.modality}",
        f"  verbs     fit {entry.verbs}",
        f"  state     {_state(entry)}",
    ]
    for claim in results.read(entry.slug):
        difference = claim["difference"]
        interval = f"[{difference['low']:+.3f}, {difference['high']:+.3f}]"
        shown = f"{claim['metric']} {difference['mean']:+.3f} {interval}"
        fixed = f"margin {claim['margin']:g}, {len(claim['seeds'])} seeds"
        lines += [
            f"  claim     {claim['statement']}",
            f"            {claim['verdict']}: {shown}, {fixed}",
        ]
    if entry.built:
        lines.append(f"  settings  contraview fit {entry.slug} --help")
    return "\n".join(lines) + "\n"
