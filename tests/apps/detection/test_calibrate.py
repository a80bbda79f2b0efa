import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import contraview
from contraview.apps.cli import main
from contraview.apps.detection.calibrated import outlook
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.reasons import explain
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.evaluation.threshold import threshold_at_fpr
from contraview.modalities.flows.data import read_flows
from contraview.systems.clan import Clan

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows

SOURCE = tiny_flows.SOURCE


def table(rows, seed):
    return tiny_flows.flows(rows, seed)


def flows(rows=1600, seed=0):
    return read_flows(table(rows, seed), **SOURCE)


@pytest.fixture(scope="module")
def fitted():
    return Detector(steps=30, light=True, max_fpr=0.05).fit(flows(), run=Run(seed=0))


@pytest.fixture
def folder(fitted, tmp_path):
    fitted.source = fitted.Source.of(**SOURCE)
    return fitted.save(tmp_path / "model")


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "later.csv"
    table(2400, 7).write_csv(path)
    return str(path)


def test_the_threshold_comes_from_the_new_flows_and_needs_no_refit(folder, later):
    fit_threshold = load_detector(folder).threshold()
    weights = (folder / "weights.safetensors").read_bytes()
    assert main(["calibrate", str(folder), later, "--max-fpr", "0.002"]) == 0
    again = contraview.load(folder)
    scores = again.score(flows(2400, 7).benign())
    assert again.rate() == 0.002
    assert again.threshold() == pytest.approx(threshold_at_fpr(scores, 0.002), abs=2e-3)
    assert again.threshold(0.02) == pytest.approx(threshold_at_fpr(scores, 0.02), abs=2e-3)
    assert again.threshold() > fit_threshold
    assert (folder / "weights.safetensors").read_bytes() == weights


def test_undo_brings_back_what_was_there(folder, later, capsys):
    before = load_detector(folder).threshold()
    assert main(["calibrate", str(folder), later, "--max-fpr", "0.01"]) == 0
    assert main(["calibrate", str(folder), "--undo"]) == 0
    again = load_detector(folder)
    assert (again.threshold(), again.rate()) == (before, 0.05)


def test_it_says_what_the_rate_means_with_intervals(folder, later, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    asked = ["--max-fpr", "0.01", "--flows-a-day", "100000", "--json", str(figures)]
    assert main(["calibrate", str(folder), later, *asked]) == 0
    said, found = capsys.readouterr().out, json.loads(figures.read_text())
    n = found["benign flows"]
    assert f"{n:,} benign flows" in said
    assert found["false alarms in 1,000 flows"] == pytest.approx(1000 * (n // 100) / (n + 1), 0.02)
    low, high = found["false alarms a day, 95 %"]
    assert low < found["false alarms a day"] < high
    assert found["realised rate, 95 %"][0] < 0.01 < found["realised rate, 95 %"][1]
    low, high = found["threshold, 95 %"]
    assert low <= found["threshold"] <= high
    assert 0 < found["share above the threshold before"] < 0.2
    assert {"threshold", "realised rate", "false alarms a day"} <= set(
        said.replace("  ", "\n").split("\n")
    )


def test_a_rate_that_the_flows_cannot_support_is_refused_and_changes_nothing(folder, later, capsys):
    before = (folder / "system.json").read_bytes()
    assert main(["calibrate", str(folder), later, "--max-fpr", "1e-4"]) == 2
    assert "expected at least 9999, better 100000" in capsys.readouterr().err
    assert (folder / "system.json").read_bytes() == before
    assert main(["calibrate", str(folder), later, "--max-fpr", "0.001"]) == 0
    assert main(["detect", str(folder), later, "--max-fpr", "1e-4"]) == 2
    assert "cannot support" in capsys.readouterr().err


WRONG = [
    ([], "no flows"),
    (["--undo"], "nothing to take back"),
    (["LATER", "--undo"], "expected MODEL alone"),
    (["LATER", "--flows-a-day", "0"], "expected at least 1"),
    (["LATER", "--max-fpr", "1.5"], "between 0 and 1"),
    (["LATER", "--benign", "kind == nothing"], "keeps no row"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[says for _, says in WRONG])
def test_wrong_input_is_one_line_and_exit_2(folder, later, arguments, says, capsys):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    given = [later if word == "LATER" else word for word in arguments]
    assert main(["calibrate", str(folder), *given]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert says in heard.err
    assert heard.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_attack_rows_take_no_part(fitted):
    assert len(fitted.calibrate(flows(800, 3), max_fpr=0.05).held_out) == 700
    fitted.calibrated = None


def test_rules_misfires_are_counted_anew(fitted):
    moved = pl.when(pl.int_range(pl.len()) % 10 == 0).then(2.0).otherwise(1.0)
    noisy = read_flows(table(800, 3).with_columns(flat=moved), **SOURCE)
    fitted.calibrate(noisy, max_fpr=0.05)
    assert fitted.rules_rate == pytest.approx(0.1, abs=0.02)
    assert not fitted.rules_alert()
    fitted.calibrated = None
    assert fitted.rules_rate < 0.01


def test_a_saved_detector_keeps_its_calibration(fitted, tmp_path):
    fitted.calibrate(flows(800, 3), max_fpr=0.03)
    fitted.save(tmp_path / "copy")
    again = contraview.load(tmp_path / "copy")
    assert (again.rate(), again.threshold()) == (0.03, fitted.threshold())
    fitted.calibrated = None


def test_clan_alone_raises_explained_alerts_once_it_is_calibrated(tmp_path, later, capsys):
    clan = Clan(width=16, depth=2, steps=60).fit(flows(), run=Run(seed=0))
    clan.source = clan.Source.of(**SOURCE)
    folder = clan.save(tmp_path / "clan")
    with pytest.raises(InputError, match="contraview calibrate"):
        load_detector(folder)
    assert main(["calibrate", str(folder), later, "--max-fpr", "0.01"]) == 0
    detector = load_detector(folder)
    rows = pl.concat(list(detect(detector, flows(1600, 9))))
    assert {"view_clan", "score", "rule", "alert"} <= set(rows.columns)
    attacks = rows.filter(pl.col("kind") == "attack")["alert"].mean()
    assert attacks > rows.filter(pl.col("kind") == "benign")["alert"].mean()
    alerts = rows.filter("alert")
    assert all(len(why) for why in explain(detector, alerts))
    assert isinstance(contraview.load(folder), Clan)
    np.testing.assert_array_equal(contraview.load(folder).score(flows()), clan.score(flows()))


def test_the_flows_that_clan_learnt_from_are_refused(tmp_path):
    clan = Clan(width=16, depth=2, steps=5).fit(flows(), run=Run(seed=0))
    with pytest.raises(InputError, match="these very flows"):
        Detector.of_clan(clan, flows(), max_fpr=0.05)


def test_another_system_is_refused(folder):
    path = folder / "system.json"
    path.write_text(path.read_text().replace('"system": "detector"', '"system": "scgc"'))
    with pytest.raises(InputError, match="holds 'scgc'; expected a model of `contraview fit det"):
        load_detector(folder)


def test_the_outlook_is_open_above_where_it_must_be():
    figures = outlook(np.arange(1000.0), 1e-3)
    assert figures["threshold, 95 %"][1] is None
    assert "false alarms a day" not in figures
