import subprocess
import sys
from pathlib import Path

import pytest

from contraview.claims import results
from contraview.claims.results import ClaimResult
from contraview.core.errors import InputError


def result(verdict="holds", **changes):
    made = ClaimResult(
        id="a",
        statement="New beats old.",
        metric="AUROC",
        better="higher",
        data=[{"name": "flows", "real": True, "fingerprint": "f1"}],
        preset="small",
        seeds=[0, 1, 2],
        arms={"new": [0.8, 0.9, 1.0], "old": [0.5, 0.5, 0.5], "cheap": [0.95, 0.95, 0.95]},
        difference={"mean": 0.4, "low": 0.3, "high": 0.5},
        margin=0.1,
        verdict=verdict,
        cpu_seconds=1.5,
    )
    return {**made, **changes}


def test_what_is_written_is_read(tmp_path):
    path = results.write("clan", [result(), result("undecided", id="b")], tmp_path / "results")
    assert path == tmp_path / "results" / "clan.json"
    assert [c["id"] for c in results.read("clan", path.parent)] == ["a", "b"]
    assert results.read_all(path.parent)[0]["system"] == "clan"
    assert [p.name for p in path.parent.iterdir()] == ["clan.json"]


def test_the_order_of_the_arms_is_kept(tmp_path):
    results.write("clan", [result()], tmp_path)
    assert list(results.read("clan", tmp_path)[0]["arms"]) == ["new", "old", "cheap"]


def test_state_counts_verdicts(tmp_path):
    assert results.state("clan", tmp_path) == "not measured"
    assert results.read("clan", tmp_path) == []
    verdicts = ("undecided", "holds", "does not hold", "holds")
    results.write("clan", [result(verdict) for verdict in verdicts], tmp_path)
    assert results.state("clan", tmp_path) == "holds: 2, does not hold: 1, undecided: 1"


@pytest.mark.parametrize("content", ["", "[]", '{"system": "x", "claims": [{"id": 1}]}'])
def test_a_file_of_another_kind_is_named(content, tmp_path):
    (tmp_path / "clan.json").write_text(content)
    with pytest.raises(InputError, match=r"clan\.json"):
        results.state("clan", tmp_path)


def test_in_a_checkout_results_stand_at_its_root():
    root = Path(__file__).parents[2]
    assert results.folder() == root / "results"


def test_outside_a_checkout_the_packaged_copy_is_read(tmp_path, monkeypatch):
    module = tmp_path / "site-packages" / "contraview" / "claims" / "results.py"
    monkeypatch.setattr(results, "__file__", str(module))
    assert results.folder() == tmp_path / "site-packages" / "contraview" / "results"


def test_states_are_read_without_heavy_imports():
    program = (
        "import sys; from contraview.claims import results; results.state('clan');"
        "heavy = {'numpy', 'torch', 'polars', 'pydantic', 'sklearn'} & sys.modules.keys();"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
