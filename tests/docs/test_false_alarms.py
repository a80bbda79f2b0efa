"""What the page about alerts states is what was last measured."""

import json
import re
from pathlib import Path

from benchmarks import false_alarms

PAGE = (Path(__file__).parents[2] / "docs" / "detection.md").read_text()
RESULT = json.loads(false_alarms.RESULT.read_text())
SAID = " ".join(PAGE.split())


def inside(site, rates=("0.01", "0.001")):
    runs = [run for rate in rates for run in RESULT["sites"][site][rate]]
    hits = sum(run["interval"][0] <= run["false alarms"] <= run["interval"][1] for run in runs)
    return hits, len(runs)


def test_the_tables_are_those_of_the_result():
    assert false_alarms.tables(RESULT) in PAGE


def test_the_interval_holds_where_flows_are_exchangeable():
    shares = [share for each in RESULT["splits"].values() for share in each["inside"].values()]
    assert min(shares) >= 0.9
    assert f"in {100 * min(shares):.1f} to {100 * max(shares):.1f} % of the runs" in SAID
    assert "0.0001" in RESULT["splits"]["generated log, light"]["inside"]


def test_the_counts_in_the_text():
    halves = [inside(site) for site in ("UNSW-NB15", "NSL-KDD")]
    hits, runs = (sum(column) for column in zip(*halves, strict=True))
    assert f"{hits} of {runs} runs on random halves" in SAID
    assert "{} of {} from NSL-KDD's train".format(*inside("NSL-KDD, train to test")) in SAID
    assert "{} of {} from the lab's day 1".format(*inside("lab, day 3")) in SAID
    assert inside("lab, day 2", ("0.01",))[0] == 0
    shares = [
        100 * run["false alarms"] / run["benign scored"]
        for run in RESULT["sites"]["lab, day 2"]["0.01"]
    ]
    assert f"{min(shares):.1f} to {max(shares):.1f} % of its benign flows" in SAID
    seeds = re.search(r"seeds (\d+) to (\d+)", SAID)
    assert seeds is not None
    assert [*range(int(seeds[1]), int(seeds[2]) + 1)] == RESULT["seeds"]
