import json

import numpy as np
import pytest

import contraview
from contraview.apps.cli import main
from contraview.apps.detection.living.drift import measure
from contraview.apps.detection.living.feedback import load_feedback, record_feedback
from contraview.apps.detection.living.lessons import learn, take
from contraview.apps.detection.living.refit import recalibrate, recentre, trusted
from contraview.apps.detection.living.suppression import Rule, Suppressions, add_rule
from contraview.apps.detection.model import load_detector
from contraview.core.errors import InputError
from contraview.core.lineage import lineage
from contraview.evaluation.threshold import alarm_rate
from contraview.modalities.flows import lab_traffic

MONDAY = str(lab_traffic.flows(2))


@pytest.fixture
def folder(detector, tmp_path):
    return detector.save(tmp_path / "model")


@pytest.fixture
def unlabelled():
    """The second day with its attacks, and nobody says which flows they are."""
    return str(lab_traffic.day(2))


def benign_rate(detector, day=MONDAY):
    flows = detector.read(day).benign()
    return alarm_rate(detector.score(flows), detector.threshold())


def test_after_a_recentre_the_new_service_is_known_and_the_rate_holds(detector, folder):
    before = benign_rate(detector)
    done = recentre(folder, MONDAY)
    again = load_detector(folder)
    assert before > 0.02 > benign_rate(again)
    assert done.alarms_after == pytest.approx(0.01, abs=0.004)
    period = measure(again, again.read(MONDAY)).periods[0]
    assert (period.services, period.advice) == ([], "nothing")
    assert contraview.load(folder).threshold() == again.threshold() == done.after.threshold()
    step = lineage(folder)[-1]
    assert (step["what"], step["step"], step["rows"]) == ("refit", "refit --centre", 5944)
    assert step["data"] == again.read(MONDAY).fingerprint()


def test_the_threshold_of_a_recentre_comes_from_flows_apart_from_the_move(folder):
    after = recentre(folder, MONDAY).after
    moved = {row.tobytes() for row in after.move.rows}
    apart = [row.tobytes() for row in after.calibrated.rows]
    assert len(apart) == round(5944 / 3)
    assert len(moved) > 3_000
    scores = after.score_rows(after.calibrated.rows)
    np.testing.assert_allclose(np.sort(scores), after.calibrated.scores, rtol=1e-6)


def test_recalibrate_leaves_the_views(detector, folder):
    recalibrate(folder, MONDAY)
    again = load_detector(folder)
    assert again.move is None
    assert again.threshold() > detector.threshold()
    rows = detector.reserve[:50]
    np.testing.assert_array_equal(again.score_rows(rows), detector.score_rows(rows))


def test_attacks_among_the_flows_are_refused_or_left_out(detector, folder, unlabelled):
    was = (folder / "system.json").read_bytes()
    for how in ("--calibration", "--centre"):
        assert main(["refit", str(folder), unlabelled, how]) == 2
    assert (folder / "system.json").read_bytes() == was
    flows = detector.read(unlabelled)
    kept, left_out = trusted(detector, flows, 0.2)
    assert left_out == round(0.2 * len(flows))
    assert detector.score(kept).max() <= np.sort(detector.score(flows))[len(kept) - 1]
    with pytest.raises(InputError, match="are there attacks among them"):
        trusted(detector, flows, None)


def test_the_guard_says_what_it_costs(folder, unlabelled, capsys):
    asked = ["refit", str(folder), unlabelled, "--calibration", "--contamination", "0.17"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "7,394 benign flows, 1,514 left out" in said
    assert "false-alarm rate 0.01; with those left out, at most 0.18" in said


def test_feedback_outlives_a_recentre(folder, said):
    taught = said("benign", 10, verdict="benign", dst_port=1883)
    for each in taught:
        own = {"id": each.id, "score": each.score, "inputs": each.inputs}
        record_feedback(folder, {"contraview": own}, "benign")
    take(folder, learn(load_detector(folder), load_feedback(folder)))
    after = recentre(folder, str(lab_traffic.flows(3))).after
    assert after.move.taught.sum() == 10
    assert (~after.move.taught).sum() > 4_000
    assert load_detector(folder).naming is not None


def test_all_is_a_new_model_with_rules_and_lineage_and_the_old_one_stays(folder, tmp_path, capsys):
    add_rule(folder, Rule.of(host="10.0.0.1"))
    out, was = tmp_path / "new", (folder / "system.json").read_bytes()
    recalibrate(folder, str(lab_traffic.flows(3)))
    assert main(["refit", str(folder), MONDAY, "--all", "--out", str(out)]) == 0
    new = load_detector(out)
    assert new.config == load_detector(folder).config
    assert "tcp/1883" in new.usual.services
    assert Suppressions.load(out) == Suppressions.load(folder)
    assert [step["what"] for step in lineage(out)] == ["refit", "refit --all"]
    assert main(["refit", str(folder), "--undo"]) == 0
    assert (folder / "system.json").read_bytes() == was
    steps = [json.loads(line) for line in (folder / "lineage.jsonl").read_text().splitlines()]
    assert steps[-1]["what"] == "refit --undo"
    assert steps[-1]["from"] == steps[-2]["model"]


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [MONDAY],
        ["--centre"],
        [MONDAY, "--centre", "--calibration"],
        [MONDAY, "--all"],
        [MONDAY, "--centre", "--contamination", "0.7"],
        ["--undo"],
    ],
)
def test_what_makes_no_sense_is_one_line(folder, asked, capsys):
    assert main(["refit", str(folder), *asked]) == 2
    assert capsys.readouterr().err.count("\n") == 1
