"""What the README states is what was last measured."""

import json
from pathlib import Path

import pytest

from contraview.claims import results
from contraview.claims.table import claims_table, systems_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def benchmark(name):
    return json.loads((ROOT / "results" / "benchmarks" / f"{name}.json").read_text())


def test_the_tables_are_those_that_the_command_makes():
    assert systems_table() in README
    assert claims_table() in (ROOT / "docs" / "claims.md").read_text()


def test_the_ratios_are_those_of_the_benchmarks():
    said = " ".join(README.split())
    rows = benchmark("nt_xent")["rows"]
    assert " / ".join(str(row["ratio_cpu_seconds"]) for row in rows) in said
    assert " / ".join(f"{row['ratio_peak_mb']:.1f}" for row in rows) in said
    assert f"{benchmark('scoring')['times cheaper']['5-NN, scikit-learn']} times cheaper" in said
    meter = benchmark("meter")["times_nfstream"]
    assert f"{meter['whole']} times (in constant memory {meter['windowed']})" in said


@pytest.mark.parametrize("system", results.read_all(), ids=lambda each: each["system"])
def test_results_have_the_shape_and_verdicts_that_their_figures_give(system):
    from contraview.claims.verdict import judge, paired_difference

    for claim in system["claims"]:
        method, baseline, *_ = claim["arms"].values()
        difference = paired_difference(method, baseline, claim["better"])
        assert difference == pytest.approx(claim["difference"])
        assert judge(difference, claim["margin"], len(claim["seeds"])) == claim["verdict"]
        assert len(claim["seeds"]) >= 5
