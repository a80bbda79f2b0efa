"""Claims and systems as tables: in the README between marks, made from results/, never by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from contraview.catalog import ENTRIES, Entry
from contraview.claims.results import ClaimResult, SystemResult, read_all, state
from contraview.core.errors import InputError

HEAD = ("System", "Claim", "Figure", "Method", "Baseline", "Difference", "Verdict")


def claims_table(systems: Sequence[SystemResult] | None = None, *, every_arm: bool = False) -> str:
    """A Markdown table, one row a claim; of every measured system where none are given.

    Figures are means over seeds; the difference carries its 95 % interval and the margin it was
    judged by. ``every_arm`` adds the arms that were shown beside the two that were judged.
    """
    systems = read_all() if systems is None else systems
    rows = [_row(each["system"], claim, every_arm) for each in systems for claim in each["claims"]]
    head = (*HEAD, "Also shown") if every_arm else HEAD
    return "\n".join([_line(head), _line("---" for _ in head), *map(_line, rows)])


def systems_table() -> str:
    """A Markdown table of the whole catalog, one row a system, with what its claims showed."""
    head = ("System", "Paper", "Data", "Verbs", "Claims")
    rows = [_system(entry) for entry in ENTRIES]
    return "\n".join([_line(head), _line("---" for _ in head), *map(_line, rows)])


def replace_table(page: str, name: str, table: str) -> str:
    """``page`` with ``table`` between the marks of that name, where the old one stood."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = page.partition(start)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise InputError(f"no place for the table: expected a line {start} and later a line {end}")
    return f"{head}{start}\n{table}\n{end}{tail}"


def update_page(path: Path, *names: str) -> None:
    """Bring the named tables of a Markdown file up to date with results/ and the catalog.

    ``claims`` judges, ``every arm`` also shows, ``systems`` lists the catalog.
    """
    from contraview.core.model_folder import write_bytes

    tables = {
        "claims": claims_table,
        "every arm": lambda: claims_table(every_arm=True),
        "systems": systems_table,
    }
    page = path.read_text(encoding="utf-8")
    try:
        for name in names:
            page = replace_table(page, name, tables[name]())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    write_bytes(path, page.encode())


def _system(entry: Entry) -> tuple[str, ...]:
    shown = state(entry.slug) if entry.built else "not built yet"
    name = f"`{entry.slug}`" if entry.built else entry.slug
    return (name, f"{entry.name}: {entry.paper}", entry.modality, f"fit {entry.verbs}", shown)


def _row(system: str, claim: ClaimResult, every_arm: bool) -> tuple[str, ...]:
    method, baseline, *others = (f"{n} {fmean(v):.3f}" for n, v in claim["arms"].items())
    mean, low, high = (claim["difference"][key] for key in ("mean", "low", "high"))
    names = ", ".join(d["name"] if d["real"] else f"{d['name']} (simulated)" for d in claim["data"])
    better = "" if claim["better"] == "higher" else ", lower is better"
    return (
        f"`{system}`",
        claim["statement"],
        f"{claim['metric']}{better}; {names}; {claim['preset']}, {len(claim['seeds'])} seeds",
        method,
        baseline,
        f"{mean:+.3f} [{low:+.3f}, {high:+.3f}], margin {claim['margin']:g}",
        claim["verdict"],
        *([", ".join(others)] if every_arm else []),
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
