"""The demo as a person runs it, with a smaller detector."""

import json
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import polars as pl
import pytest

from contraview.apps.cli import demo, main
from contraview.apps.detection.detector import Detector

ROOT = Path(__file__).parents[3]


def checker():
    spec = spec_from_file_location("check_demo", ROOT / ".ci" / "check_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder, and what was said on stdout and stderr."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    out, said, progress = tmp_path_factory.mktemp("runs") / "demo", StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(progress):
        patch.setattr(demo, "Detector", partial(Detector, steps=40, trees=10, bank=500))
        assert main(["demo", "--out", str(out), "--max-fpr", "0.005", "--seed", "4"]) == 0
    return out, said.getvalue(), progress.getvalue()


def test_what_it_wrote_is_as_it_should_be(ran):
    checker().check(ran[0])


def test_the_check_can_fail(ran, tmp_path):
    check = checker()
    flows = pl.read_parquet(ran[0] / "flows.parquet")
    text = (ran[0] / "report.html").read_text()
    with pytest.raises(AssertionError, match="addresses in the page"):
        check.check_page(text + flows["dst_addr"][0], flows)
    with pytest.raises(AssertionError, match="self-contained"):
        check.check_page(text + '<img src="https://example.org/x.png">', flows)
    with pytest.raises(AssertionError, match="scores differ"):
        check.check_model(ran[0], flows.with_columns(pl.col("score") + 0.1))
    (tmp_path / "alerts.jsonl").write_text("")
    with pytest.raises(AssertionError, match="0 alerts"):
        check.check_alerts(tmp_path / "alerts.jsonl", flows)


def test_labels_are_those_of_the_lab_and_no_input(ran):
    flows = pl.read_parquet(ran[0] / "flows.parquet")
    known = pl.read_parquet(demo.lab_traffic.flows(3))
    counts = {
        frame["label"].value_counts(sort=True).sort("label").rows().__str__()
        for frame in (flows, known)
    }
    assert len(counts) == 1
    description = json.loads((ran[0] / "model" / "system.json").read_text())
    assert "label" not in description["facts"]["clan"]["features"]["numeric"]


def test_the_summary_and_the_next_commands(ran):
    out, said, progress = ran
    flows = pl.read_parquet(out / "flows.parquet")
    assert said.startswith(f"{flows['alert'].sum():,} alerts in {flows.height:,} flows")
    for name in ("report.html", "alerts.jsonl", "flows.parquet", "model"):
        assert str(out / name) in said
    assert "contraview fit detector" in said
    assert [line[:5] for line in progress.splitlines()] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]


def test_the_report_again_with_addresses(ran, tmp_path, capsys):
    out = ran[0]
    page = tmp_path / "page.html"
    assert main(["report", str(out), "--out", str(page), "--with-addresses"]) == 0
    flows = pl.read_parquet(out / "flows.parquet")
    strongest = flows.filter("alert").sort("score", descending=True)["src_addr"][0]
    assert strongest in page.read_text()
    assert main(["report", str(out), "--out", str(page)]) == 0
    assert page.read_bytes() == (out / "report.html").read_bytes()


def test_the_report_names_the_commands_that_repeat_it(ran):
    text = (ran[0] / "report.html").read_text()
    assert f"contraview demo --out {ran[0]} --max-fpr 0.005 --seed 4" in text
    assert f"contraview detect {ran[0] / 'model'} $lab/day3.pcap.gz" in text


def test_a_report_needs_what_the_demo_wrote(ran, tmp_path, capsys):
    import shutil

    copy = tmp_path / "demo"
    shutil.copytree(ran[0], copy)
    (copy / "alerts.jsonl").write_text("")
    assert main(["report", str(copy)]) == 2
    assert "0 alerts; expected" in capsys.readouterr().err
    (copy / "alerts.jsonl").unlink()
    assert main(["report", str(copy)]) == 2
    assert "alerts.jsonl: missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-fpr", "2"], "max_fpr"),
        (["--max-fpr", "many"], "max-fpr"),
        (["--seeed", "1"], "seeed"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing(arguments, said, tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error.splitlines()[-1]
    assert not out.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("x")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
