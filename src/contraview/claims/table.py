"""The claims as a table: in the README between two marks, made from results/ and never by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from contraview.claims.results import ClaimResult, SystemResult, read_all
from contraview.core.errors import InputError

START, END = "<!-- claims -->", "<!-- /claims -->"
HEAD = ("System", "Claim", "Figure", "Method", "Baseline", "Also shown", "Difference", "Verdict")


def claims_table(systems: Sequence[SystemResult] | None = None) -> str:
    """A Markdown table, one row a claim; of every measured system where none are given.

    Figures are means over seeds; the difference carries its 95 % interval and the margin it was
    judged by.
    """
    systems = read_all() if systems is None else systems
    rows = [_row(each["system"], claim) for each in systems for claim in each["claims"]]
    lines = [_line(HEAD), _line("---" for _ in HEAD), *map(_line, rows)]
    return "\n".join(lines)


def replace_table(page: str, table: str) -> str:
    """``page`` with ``table`` between its marks, in the place of what stood there."""
    head, start, rest = page.partition(START)
    _, end, tail = rest.partition(END)
    if not (start and end):
        raise InputError(f"no place for the table: expected a line {START} and later a line {END}")
    return f"{head}{START}\n{table}\n{END}{tail}"


def update_page(path: Path) -> None:
    """Bring the table in a Markdown file up to date with results/."""
    from contraview.core.model_folder import write_bytes

    page = path.read_text(encoding="utf-8")
    try:
        write_bytes(path, replace_table(page, claims_table()).encode())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


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
        ", ".join(others),
        f"{mean:+.3f} [{low:+.3f}, {high:+.3f}], margin {claim['margin']:g}",
        claim["verdict"],
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
