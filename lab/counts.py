"""The table of counts that the pages about the lab's traffic carry.

``python -m lab.counts FOLDER PAGE...`` writes it into pages, for the days found in a folder.
"""

import sys
from pathlib import Path

import polars as pl

_MARK = ("<!-- counts -->\n", "<!-- /counts -->\n")


def counts(days: dict[int, pl.DataFrame]) -> str:
    """Flows by label and service and day, as a Markdown table."""
    kinds = ["label", "service"]
    whole = pl.concat(flows.select(*kinds, day=pl.lit(f"day {day}")) for day, flows in days.items())
    order = pl.col("label") != "benign"
    rows = whole.pivot("day", index=kinds, values="day", aggregate_function="len").fill_null(0)
    columns = [f"day {day}" for day in days]
    total = whole.group_by("day").len()
    sums = dict(total.rows())
    lines = [
        f"| label | service | {' | '.join(columns)} |",
        f"|---|---|{'---:|' * len(columns)}",
        *(
            f"| {row['label']} | {row['service']} | {' | '.join(str(row[c]) for c in columns)} |"
            for row in rows.sort(order, "label", "service").to_dicts()
        ),
        f"| **all** | | {' | '.join(str(sums[c]) for c in columns)} |",
    ]
    return "\n".join(lines) + "\n"


def fill(page: Path, text: str) -> None:
    """Puts `text` between the marks of a Markdown page."""
    before, rest = page.read_text().split(_MARK[0])
    after = rest.split(_MARK[1])[1]
    page.write_text(before + _MARK[0] + text + _MARK[1] + after)


if __name__ == "__main__":
    folder, *pages = map(Path, sys.argv[1:])
    found = {int(path.name[3]): pl.read_parquet(path) for path in folder.glob("day?_flows.parquet")}
    for page in pages:
        fill(page, counts(dict(sorted(found.items()))))
