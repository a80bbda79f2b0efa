"""The tables of the page on reliability: ``python -m tests.fuzz.page``, from results/ alone."""

import json
from pathlib import Path
from typing import Any

from contraview.claims.table import replace_table

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results/benchmarks/fuzz.json"
PAGE = ROOT / "docs/reliability.md"


def main() -> None:
    """Write the tables where the old ones stood."""
    table = json.loads(RESULT.read_text())
    page = replace_table(PAGE.read_text(), "fuzz", readers(table["readers"]))
    PAGE.write_text(replace_table(page, "fuzz models", models(table["models"])))


def readers(rows: list[dict[str, Any]]) -> str:
    """A line a reader."""
    lines = [
        "| reader | inputs | findings | earlier findings, fixed | CPU s |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['reader']} | {row['inputs']:,} | {len(row['findings'])} | "
        f"{row['earlier_findings']} | {row['cpu_seconds']:,.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def models(rows: list[dict[str, Any]]) -> str:
    """A line a system; no table before they were run."""
    if not rows:
        return ""
    lines = ["| model of | folders | refused | answered | findings |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row['system']} | {row['mutations']:,} | {row['refused']:,} | "
        f"{row['mutations'] - row['refused'] - sum(row['findings'].values()):,} | "
        f"{sum(row['findings'].values())} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
