"""Claims and systems as tables: in the README between marks, made from results/, never by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from contraview.catalog import ENTRIES, Entry
from contraview.claims.results import ClaimResult, SystemResult, read_all, state
from contraview.core.errors import InputError

HEAD = (
    *("System", "Claim", "Figure", "Method", "Baseline", "Difference", "Verdict"),
    "Also shown",
)


def claims_table(systems: Sequence[SystemResult] | None = None) -> str:
    """A Markdown table, one row a claim; of every measured system where none are given.

    Figures are means over seeds; the difference carries its 95 % interval and the margin it was
    judged by. Arms that were shown beside the two that were judged come last.
    """
    systems = read_all() if systems is None else systems
    rows = [_row(each["system"], claim) for each in systems for claim in each["claims"]]
    return "\n".join([_line(HEAD), _line("---" for _ in HEAD), *map(_line, rows)])


def systems_table() -> str:
    """A Markdown table of the whole catalog, what is built first, with what its claims showed."""
    head = ("System", "Paper", "Data", "Verbs", "Claims")
    rows = [_system(entry) for entry in sorted(ENTRIES, key=lambda entry: not entry.built)]
    return "\n".join([_line(head), _line("---" for _ in head), *map(_line, rows)])


def replace_table(page: str, name: str, table: str) -> str:
    """``page`` with ``table`` between the marks of that name, where the old one stood."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = page.partition(start)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise InputError(f"no place for the table: expected a line {start} and later a line {end}")
    return f"{head}{start}\n{table}\n{end}{tail}"


def update_pages(root: Path) -> None:
    """Bring the tables of the README and of docs/claims.md up to date with results/ and catalog."""
    from contraview.core.whole_file import write_bytes

    pages = {"README.md": ("systems", systems_table), "docs/claims.md": ("claims", claims_table)}
    for name, (mark, table) in pages.items():
        path = root / name
        try:
            page = replace_table(path.read_text(encoding="utf-8"), mark, table())
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        write_bytes(path, page.encode())


def _system(entry: Entry) -> tuple[str, ...]:
    shown = state(entry.slug) if entry.built else "not built yet"
    name = f"`{entry.slug}`" if entry.built else entry.slug
    return (name, f"{entry.name}: {entry.paper}", entry.modality, f"fit {entry.verbs}", shown)


def _row(system: str, claim: ClaimResult) -> tuple[str, ...]:
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
        ", ".join(others),
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
