import json

import numpy as np
import polars as pl
import pytest

from contraview.apps.cli import main
from contraview.apps.detection.detection import Judge, detect
from contraview.apps.detection.living.lessons import SHARE, learn, take
from contraview.apps.detection.living.naming import UNKNOWN
from contraview.apps.detection.model import load_detector
from contraview.core.errors import InputError
from contraview.core.lineage import lineage
from contraview.evaluation.threshold import threshold_at_fpr
from contraview.modalities.flows import lab_traffic

MQTT = {"verdict": "benign", "dst_port": 1883}


def judged(detector, day):
    judge = Judge(detector)
    flows = detector.read(str(lab_traffic.flows(day)))
    return pl.concat(list(detect(detector, flows, judge=judge))), judge


def rate(rows, *where):
    return rows.filter(*where)["alert"].mean()


@pytest.fixture
def folder(detector, tmp_path):
    return detector.save(tmp_path / "model")


@pytest.fixture(scope="module")
def before(detector):
    return judged(detector, 2)[0]


def test_what_is_called_benign_grows_quiet_and_attacks_do_not(detector, said, before):
    taught = said("benign", 20, **MQTT) + said("syn_flood", 5) + said("password_guessing", 5)
    lessons = learn(detector, taught)
    after, judge = judged(lessons.after, 2)
    benign, mqtt = pl.col("label") == "benign", pl.col("dst_port") == 1883
    assert rate(after, benign, mqtt) < rate(before, benign, mqtt) / 4
    assert judge.calmed > 20
    for attack in ("syn_flood", "slow_http", "password_guessing", "port_scan"):
        kind = pl.col("label") == attack
        assert rate(after, kind) > 0.8 * rate(before, kind), attack
    figures = lessons.figures()
    assert figures["before"]["benign that alert"] == 20
    assert figures["after"]["benign that alert"] < 5
    assert figures["after"]["attacks that alert"] == 10


def test_the_threshold_comes_from_flows_that_moved_nothing(detector, said):
    after = learn(detector, said("benign", 20, **MQTT)).after
    assert after.threshold() == threshold_at_fpr(after.score_rows(detector.reserve), 0.01)
    assert after.threshold() != detector.threshold()
    low, high = learn(detector, []).figures()["after"]["threshold, 95 %"]
    assert low < detector.threshold() < high


def test_all_feedback_together_has_a_bounded_share(detector, said):
    few = learn(detector, said("benign", 2, **MQTT)).after.move
    assert few.counts.tolist() == [20.0, 20.0]
    many = learn(detector, said("benign", 60, **MQTT)).after.move
    whole = detector.clan.benign_rows + many.counts.sum()
    assert many.counts.sum() / whole == pytest.approx(SHARE)


def test_the_guard_leaves_out_what_would_silence_an_attack(detector, said):
    attacks = said("syn_flood", 6)
    poison = [type(each)(each.id, "benign", None, each.at, 7.0, each.inputs) for each in attacks]
    lessons = learn(detector, [*attacks[:3], *poison[3:]])
    assert lessons.figures()["after"]["attacks that alert"] == 3
    same = learn(detector, [attacks[0], *poison[:1]])
    assert list(same.left_out.values()) == ["the same flow was called an attack"]


def test_forgotten_feedback_is_unlearnt(detector, said):
    once = learn(detector, said("benign", 20, **MQTT)).after
    again = learn(once, []).after
    rows = detector.reserve[:100]
    np.testing.assert_array_equal(again.score_rows(rows), detector.score_rows(rows))
    assert again.threshold() == detector.threshold()
    assert again.naming is None


def test_named_attacks_are_named_and_all_others_unknown(detector, said):
    known = ("port_scan", "password_guessing")
    lessons = learn(detector, [each for label in known for each in said(label, 8)])
    rows, _ = judged(lessons.after, 3)
    alerts = rows.filter("alert")
    for label, least in (("port_scan", 0.6), ("password_guessing", 0.3)):
        named = alerts.filter(pl.col("label") == label)["named_attack"]
        assert (named == label).mean() > least, label
        assert set(named) <= {label, UNKNOWN}
    for label in ("slow_http", "benign"):
        named = alerts.filter(pl.col("label") == label)["named_attack"]
        assert (named == UNKNOWN).mean() > 0.9, label
    assert rows.filter(~pl.col("alert"))["named_attack"].null_count() == rows.height - len(alerts)


def test_two_flows_make_no_name(detector, said):
    lessons = learn(detector, said("syn_flood", 2))
    assert lessons.figures()["after"]["names"] == []
    assert "named_attack" in judged(lessons.after, 2)[0].columns


def test_taken_it_is_in_the_folder_and_undone_it_is_gone(detector, folder, said):
    was = (folder / "system.json").read_bytes()
    lessons = learn(load_detector(folder), said("benign", 20, **MQTT) + said("syn_flood", 5))
    assert (folder / "system.json").read_bytes() == was
    take(folder, lessons)
    again = load_detector(folder)
    rows = detector.reserve[:500]
    np.testing.assert_allclose(again.score_rows(rows), lessons.after.score_rows(rows))
    assert again.threshold() == lessons.after.threshold()
    assert again.naming.attacks == ("syn_flood",)
    assert again.naming.name(again.clan, rows) == lessons.after.naming.name(again.clan, rows)
    assert lineage(folder)[-1]["what"] == "feedback"
    assert main(["feedback", str(folder), "--undo"]) == 0
    assert (folder / "system.json").read_bytes() == was
    assert [step["what"] for step in lineage(folder)] == ["feedback", "feedback --undo"]


def test_calibration_and_feedback_go_together(detector, folder, said):
    day = str(lab_traffic.flows(3))
    assert main(["calibrate", str(folder), day, "--max-fpr", "0.005"]) == 0
    calibrated = load_detector(folder)
    taught = said("benign", 20, **MQTT)
    take(folder, learn(calibrated, taught))
    both = load_detector(folder)
    scores = both.score_rows(calibrated.calibrated.rows)
    assert both.threshold() == threshold_at_fpr(scores, 0.005)
    assert main(["calibrate", str(folder), "--undo"]) == 2, "the last change is of feedback"
    assert main(["calibrate", str(folder), day, "--max-fpr", "0.02"]) == 0
    assert load_detector(folder).move is not None, "what was taught stays"
    assert load_detector(folder).rate() == 0.02
    take(folder, learn(load_detector(folder), []))
    unlearnt = load_detector(folder)
    assert unlearnt.move is None
    assert unlearnt.threshold(0.005) == pytest.approx(calibrated.threshold(0.005))


def test_the_command_shows_takes_and_undoes(detector, folder, monday, tmp_path, capsys):
    alerts = tmp_path / "alerts.jsonl"
    capture = str(lab_traffic.day(2))
    assert main(["detect", str(folder), capture, "--out", str(alerts)]) == 0
    ids = [
        record["contraview"]["id"]
        for record in map(json.loads, alerts.read_text().splitlines())
        if record.get("dest_port") == 1883
    ][:5]
    was = (folder / "system.json").read_bytes()
    asked = ["feedback", str(folder), *ids, "--alerts", str(alerts), "--benign"]
    capsys.readouterr()
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "feedback: 5 benign, 0 attacks" in said
    assert "5 of 5  ->  " in said
    assert "nothing is changed yet" in said
    assert (folder / "system.json").read_bytes() == was
    assert main(["feedback", str(folder), "--apply", "--json", str(tmp_path / "f.json")]) == 0
    assert json.loads((tmp_path / "f.json").read_text())["benign"] == 5
    assert main(["detect", str(folder), capture, "--out", str(alerts)]) == 0
    assert "flows like those called benign are no alerts" in capsys.readouterr().err
    assert main(["feedback", str(folder), "--forget", ids[0]]) == 0
    assert "feedback: 4 benign" in capsys.readouterr().out
    assert main(["feedback", str(folder), "--undo"]) == 0
    assert (folder / "system.json").read_bytes() == was


@pytest.mark.parametrize(
    "asked",
    [
        ["--benign"],
        ["ab" * 16, "--benign", "--attack"],
        ["ab" * 16, "--benign"],
        ["ab" * 16],
        ["--undo", "--apply"],
        ["--undo"],
    ],
)
def test_what_makes_no_sense_is_one_line(folder, asked, capsys):
    assert main(["feedback", str(folder), *asked]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_model_without_held_out_flows_says_so(detector, said):
    from copy import copy

    old = copy(detector)
    old.reserve = None
    with pytest.raises(InputError, match="keeps no held-out flows"):
        learn(old, said("benign", 5, **MQTT))
