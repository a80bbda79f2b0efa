import json
import math
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from contraview.apps.cli import main
from contraview.apps.detection.living.drift import RULES, measure
from contraview.apps.detection.living.stability import Spread, stability_index
from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.data import read_flows

sys.path.insert(0, str(Path(__file__).parents[2] / "report"))
from test_browser import shown

DAYS = [str(lab_traffic.flows(day)) for day in (1, 2, 3)]


@pytest.fixture
def kept(tmp_path):
    """Makes a file of a table of flows that the model takes for the meter's."""

    def write(rows):
        path = tmp_path / "flows.parquet"
        rows.write_parquet(path)
        return read_flows(str(path), kind="meter/std")

    return write


@pytest.fixture
def folder(detector, tmp_path):
    return detector.save(tmp_path / "model")


def test_the_index_by_hand():
    # Shares .5 .5 against .8 .2: (.3) log(1.6) + (-.3) log(.4)
    by_hand = 0.3 * math.log(1.6) - 0.3 * math.log(0.4)
    assert stability_index([5.0, 5.0], [80.0, 20.0]) == pytest.approx(by_hand)
    assert stability_index([80.0, 20.0], [5.0, 5.0]) == pytest.approx(by_hand)
    assert stability_index([5.0, 5.0], [30.0, 30.0]) == 0
    assert math.isfinite(stability_index([1.0, 0.0], [0.0, 1.0]))


def test_a_spread_is_the_same_in_batches_and_sees_what_moved():
    generator = np.random.default_rng(0)
    reference = generator.normal(size=5_000)
    same, moved, cut = Spread(reference), Spread(reference), Spread(reference)
    rows = generator.normal(size=5_000)
    same.add(rows)
    moved.add(rows + 1)
    for part in np.array_split(rows, 7):
        cut.add(part)
    assert same.index < 0.02
    assert moved.index > 0.5
    assert cut.index == same.index


def test_a_value_that_most_have_and_missing_ones_count_apart():
    spread = Spread(np.array([0.0] * 90 + [5.0] * 10))
    spread.add(np.array([0.0] * 90 + [5.0] * 10))
    assert spread.index == pytest.approx(0, abs=1e-9)
    spread.add(np.full(100, np.nan))
    assert spread.index > 1


def test_day_two_names_the_new_service_and_says_what_to_do(detector):
    drift = measure(detector, detector.read(DAYS))
    first, second, third = drift.periods
    assert [new.name for new in second.services] == ["tcp/1883"]
    assert second.services[0].flows == 453
    assert second.services[0].share_of_alerts > 0.3
    assert second.alerts > second.expected[1]
    assert (first.advice, second.advice) == ("nothing", "re-centre")
    assert first.services == third.services == []
    assert max(first.inputs.values()) < 0.1
    assert (drift.advice, drift.labelled) == ("re-centre", True)


def test_what_the_lab_knows_of_services_is_not_looked_at(detector, kept):
    benign = pl.read_parquet(DAYS[1]).filter(pl.col("label") == "benign")
    drift = measure(detector, kept(benign.drop("label", "service")))
    assert not drift.labelled
    assert [new.name for new in drift.periods[0].services] == ["tcp/1883"]


def test_the_command_writes_a_page_and_figures(folder, tmp_path, capsys):
    out = tmp_path / "drift"
    assert main(["drift", str(folder), *DAYS, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "new: tcp/1883 (mqtt), 7.6% of the flows" in said
    assert "do: re-centre: contraview refit" in said
    told = json.loads((out / "drift.json").read_text())
    assert told["advice"] == "re-centre"
    assert [period["name"] for period in told["periods"]] == sorted(
        period["name"] for period in told["periods"]
    )
    assert told["rules"] == dict(RULES)
    page = (out / "drift.html").read_text()
    assert "tcp/1883 (mqtt) is new" in page
    assert "10.77." not in page, "no host is named"
    dom, complaints = shown(out / "drift.html")
    assert complaints == []
    assert dom.count("<svg") == 4
    assert "<script" not in dom


@pytest.mark.parametrize(("by", "count"), [("hour", 5), ("week", 1)])
def test_other_periods(detector, by, count):
    periods = measure(detector, detector.read(DAYS), by=by).periods
    assert len(periods) == count
    assert sum(period.flows for period in periods) == 20_515


def test_flows_without_a_time_are_one_period_and_hostile_values_stay_text(detector, kept):
    from contraview.apps.report.drift_page import drift_page

    rows = pl.read_parquet(DAYS[0]).head(500).drop("label", "service", "timestamp")
    plain = measure(detector, kept(rows))
    assert [period.flows for period in plain.periods] == [500]
    page = drift_page(plain, "<img src=x onerror=1>", [{"at": "<b>", "what": "\x1b[31m"}])
    assert "<img" not in page
    assert "<b>" not in page.replace("<b>0</b>", "").split("Where the model comes from")[1]


def test_too_few_flows_say_nothing(detector, kept):
    rows = pl.read_parquet(DAYS[1]).head(50).drop("label", "service")
    assert measure(detector, kept(rows)).advice == "too few flows"
