"""`contraview reproduce`: run a system's claims, print what they showed, keep the figures."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from contraview import catalog
from contraview.apps.cli.arguments import Positional, parse
from contraview.claims import results
from contraview.claims.claim import Claim, run_claims
from contraview.claims.table import claims_table, update_pages
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.whole_file import write_json


def run(_verb: str, arguments: list[str]) -> int:
    """Exit code 0 whatever the verdicts."""
    chosen = parse(
        "contraview reproduce",
        "Runs the claims of SLUG, or of `all`, and prints them. An interrupted run that has a "
        "folder (--out) goes on after its last finished seed. --keep writes results/SLUG.json and "
        "the tables in the README and the documentation; it needs a checkout.",
        arguments,
        slug=(Positional[str], ...),
        preset=(str, "small"),
        seeds=(int, 5),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
        out=(Path | None, None),
        keep=(bool, False),
    )
    entries = (
        [entry for entry in catalog.ENTRIES if entry.built]
        if chosen.slug == "all"
        else [catalog.find(chosen.slug)]
    )
    if chosen.keep and not (results.folder().parent / "README.md").is_file():
        raise InputError("contraview reproduce: --keep writes to a checkout; use --json FILE here")
    measured: list[results.SystemResult] = []
    for entry in entries:
        claims = claims_of(entry)
        out = chosen.out / entry.slug if chosen.out else None
        found = run_claims(claims, seeds=chosen.seeds, preset=chosen.preset, run=Run(out))
        measured.append(results.SystemResult(system=entry.slug, claims=found))
        if chosen.keep:
            results.write(entry.slug, found)
    if chosen.keep:
        update_pages(results.folder().parent)
    whole: Any = measured if chosen.slug == "all" else measured[0]
    if chosen.figures:
        write_json(chosen.figures, json.loads(json.dumps(whole)))
    sys.stdout.write(claims_table(measured) + "\n")
    return 0


def claims_of(entry: catalog.Entry) -> tuple[Claim, ...]:
    """A paper's claims live in contraview.claims, an application's beside it."""
    entry.load_class()
    if entry.kind == "app":
        package = entry.target.partition(":")[0].rpartition(".")[0]
        return import_module(f"{package}.claims").CLAIMS
    return import_module(f"contraview.claims.{entry.slug}").CLAIMS
