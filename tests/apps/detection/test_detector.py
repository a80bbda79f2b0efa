import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import contraview
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector, combined
from contraview.apps.detection.reasons import explain
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.evaluation.anomaly import auroc
from contraview.modalities.flows.data import read_flows

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows
from tiny import Tiny

TINY = Tiny(tiny_flows.data, {"steps": 60, "trees": 20, "max_fpr": 0.05})
KNOBS = {"steps": 120, "trees": 30, "max_fpr": 0.02}
SOURCE = tiny_flows.SOURCE
EXACT = 1e-9
"""A matrix product of another height may differ in the last bit; no score moves by a rank."""


def flows(rows=1600, seed=0, **changes):
    table = tiny_flows.flows(rows, seed)
    return read_flows(table.with_columns(**changes), **SOURCE)


@pytest.fixture(scope="module")
def detector():
    return Detector(**KNOBS).fit(flows(), run=Run(seed=0))


def test_it_finds_the_planted_attacks_in_traffic_it_never_saw(detector):
    fresh = flows(seed=1)
    scores, attacks = detector.score(fresh), fresh.labels() == "attack"
    assert auroc(scores[~attacks], scores[attacks]) > 0.95
    assert (scores[attacks] > detector.threshold()).mean() > 0.5
    assert (scores[~attacks] > detector.threshold()).mean() < 0.05


def test_a_third_of_the_benign_flows_is_held_out(detector):
    assert len(detector.held_out) == round(1400 / 3)
    assert detector.clan.learnt().facts["benign rows"] == 1400 - round(1400 / 3)


def test_a_score_is_the_quadratic_mean_of_its_four_views(detector):
    views = detector.score_views(flows())
    assert detector.views == ("clan", "ecod", "forest", "neighbours")
    np.testing.assert_allclose(detector.score(flows()), np.sqrt((views**2).mean(axis=1)))
    assert combined(np.array([[3.0, 4.0]])) == pytest.approx(np.sqrt(12.5))


def test_a_score_does_not_depend_on_its_batch(detector):
    whole = detector.score(flows())
    parts = [detector.score(part) for part in flows().parts(300)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=EXACT)


def test_the_rate_changes_without_a_refit_and_has_a_floor(detector):
    assert detector.threshold(0.01) > detector.threshold(0.05)
    with pytest.raises(InputError, match="467 held-out benign rows cannot support"):
        detector.threshold(0.001)


def test_the_light_form_has_two_views_and_stores_no_bank(tmp_path):
    light = Detector(**KNOBS, light=True).fit(flows(), run=Run(seed=0))
    assert light.views == ("clan", "ecod")
    light.save(tmp_path / "light")
    again = contraview.load(tmp_path / "light")
    np.testing.assert_array_equal(again.score(flows()), light.score(flows()))
    assert "neighbours.bank" not in light.learnt().arrays


def test_a_constant_that_moves_and_a_new_category_are_alerts_by_rule(detector):
    changed = flows(
        flat=pl.when(pl.int_range(pl.len()) == 3).then(2.0).otherwise(1.0),
        proto=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("sctp")).otherwise("proto"),
    )
    found = pl.concat(list(detect(detector, changed)))
    assert found["rule"].drop_nulls().to_list() == ["flat", "proto"]
    assert found["alert"][3]
    assert found["alert"][5]


def test_rules_that_misfire_on_benign_traffic_raise_no_alert():
    noisy = flows(flat=pl.when(pl.int_range(pl.len()) % 700 == 0).then(2.0).otherwise(1.0))
    found = []
    for seed in range(6):
        fitted = Detector(**KNOBS, light=True).fit(noisy, run=Run(seed=seed))
        if "flat" in fitted.rules.constant:
            found.append((fitted.rules.rate, fitted.rules_alert(0.02)))
    assert all(alert == (rate <= 0.002) for rate, alert in found)


def test_detection_is_the_same_whatever_the_batches(detector, monkeypatch):
    whole = pl.concat(list(detect(detector, flows())))
    monkeypatch.setattr("contraview.apps.detection.detection.BATCH", 100)
    parts = pl.concat(list(detect(detector, flows())))
    assert whole["alert"].equals(parts["alert"])
    np.testing.assert_allclose(whole["score"], parts["score"], atol=EXACT)


def test_the_reason_names_the_planted_column(detector):
    strange = tiny_flows.flows(1600)[:3].with_columns(gap=pl.lit(1e6))
    for reasons in explain(detector, strange):
        assert reasons[0].column == "gap"
        assert reasons[0].value == 1e6
        assert reasons[0].percentile == pytest.approx(100.0)
        assert reasons[0].effect > 0.5
        assert 0 < reasons[0].usual < 1


def test_no_rows_have_no_reasons(detector):
    assert explain(detector, tiny_flows.flows(1600)[:0]) == []


def test_categories_have_the_share_of_benign_flows_as_percentile(detector):
    usual = detector.usual
    assert usual.percentile("proto", "tcp") + usual.percentile("proto", "udp") == pytest.approx(100)
    assert usual.percentile("proto", "sctp") == 0


def test_too_few_benign_flows_are_refused():
    with pytest.raises(InputError, match="175 benign flows to learn from; expected at least 300"):
        Detector(**KNOBS).fit(flows(200))


def test_no_address_reaches_a_model_folder(tmp_path):
    addressed = read_flows(
        tiny_flows.flows(800).with_columns(
            src_addr=pl.lit("203.0.113.77"), dst_addr=pl.lit("198.51.100.7"), src_port=pl.lit(51234)
        ),
        **SOURCE,
    )
    Detector(**KNOBS, light=True).fit(addressed, run=Run(seed=0)).save(tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        content = path.read_bytes()
        assert b"203.0.113.77" not in content
        assert b"198.51.100.7" not in content


def test_of_many_alerts_those_that_are_alike_are_explained_together(detector):
    three = flows(seed=2).collect().tail(3)
    many = pl.concat([three] * 400)
    apart, together = explain(detector, three), explain(detector, many)
    assert len(together) == 1200
    for k, why in enumerate(together):
        assert [reason.column for reason in why] == [reason.column for reason in apart[k % 3]]
        assert why[0].value == apart[k % 3][0].value
        assert why[0].effect == pytest.approx(apart[k % 3][0].effect, abs=2 * EXACT)
