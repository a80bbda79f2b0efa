"""Axes, the map of alerts, and neighbours."""

import json

import numpy as np
import pytest
from eve import record

from contraview.apps.detection.alerts import write_alerts
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.reasons import explain
from contraview.apps.serve import alert_map as module
from contraview.apps.serve.alert_map import AlertMap
from contraview.apps.serve.principal import Axes, unit
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from lab import conn_logs


def test_axes_are_those_of_the_largest_variance():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 3)) * [1.0, 10.0, 4.0] + [5.0, 0.0, 0.0]
    axes = Axes.of(vectors)
    np.testing.assert_allclose(np.abs(axes.axes @ np.eye(3)[[1, 2]].T), np.eye(2), atol=0.05)
    assert axes.explained == pytest.approx(116 / 117, abs=0.01)
    np.testing.assert_allclose(axes(vectors).mean(axis=0), 0, atol=1e-9)
    np.testing.assert_array_equal(Axes.of(vectors[::-1].copy()).axes.round(9), axes.axes.round(9))
    assert (axes.axes[np.arange(2), np.abs(axes.axes).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_few_vectors_have_a_place_all_the_same(count, width):
    vectors = np.random.default_rng(0).normal(size=(count, width))
    places = Axes.of(vectors)(vectors)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A detector with a bank, its folder, and alerts of it as EVE lines."""
    folder = tmp_path_factory.mktemp("mapped")
    (folder / "benign.log").write_text(conn_logs.log(900, seed=7, odd=0.0))
    (folder / "odd.log").write_text(conn_logs.log(600, seed=9, odd=0.05))
    detector = Detector(steps=40, trees=10).fit(read_flows(folder / "benign.log"), run=Run(seed=0))
    detector.save(folder / "model")
    lines = []
    for rows in detect(detector, detector.read(folder / "odd.log")):
        alerts = rows.filter("alert")
        write_alerts(
            lines.append, "eve", alerts, explain(detector, alerts),
            threshold=detector.threshold(), inputs=detector.inputs,
        )  # fmt: skip
    return folder, detector, lines


def test_an_alert_lies_where_its_flow_lies(kept, full):
    folder, detector, lines = full
    kept.take(*(each.encode() for each in lines))
    mapped = AlertMap(kept.store, kept.queries, folder / "model", None)
    points = mapped.points()
    assert len(points["benign"]) == len(detector.reserve)
    assert len(points["places"]) == len(points["groups"]) > 10
    flows = detector.read(folder / "odd.log")
    vectors = unit(detector.clan.embed(flows))
    uids = flows.collect()["uid"].to_list()
    group = points["groups"][0]
    strongest = kept.queries.group(group)["strongest"]["id"]
    uid = kept.queries.record(strongest)["contraview"]["uid"]
    place = mapped._axes(vectors[[uids.index(uid)]])[0]
    np.testing.assert_allclose(points["places"][0], place, atol=2e-3)
    assert mapped.points() == points, "the same each time"


def test_neighbours_are_the_nearest_by_cosine(kept, full):
    folder, _, lines = full
    kept.take(*(each.encode() for each in lines))
    mapped = AlertMap(kept.store, kept.queries, folder / "model", folder / "benign.log")
    groups, vectors = mapped._groups()
    got = mapped.neighbours(groups[3]["id"])
    every = np.concatenate([mapped._reference, vectors])
    cosine = every @ vectors[3]
    cosine[len(mapped._reference) + 3] = -2
    assert [n["similarity"] for n in got["near"]] == np.sort(cosine)[::-1][:8].round(4).tolist()
    assert got["benign"] == sum(n["group"] is None for n in got["near"])
    assert all(n["group"] is None or n["group"]["id"] != groups[3]["id"] for n in got["near"])


def test_without_benign_flows_alerts_are_mapped_by_themselves(kept, model, monkeypatch):
    detector = load_detector(model)
    detector.reserve = None  # as in models of earlier versions
    monkeypatch.setattr(module, "load_detector", lambda _: detector)
    kept.take(json.dumps(record(1, own_inputs={"orig_bytes": 3.0})).encode() + b"\n")
    kept.take(json.dumps(record(2, 10, src_ip="10.0.0.1")).encode() + b"\n")
    mapped = AlertMap(kept.store, kept.queries, model, None)
    points = mapped.points()
    assert points["benign"] == []
    assert points["groups"] == [1], "an alert without its flow has no place"
    assert mapped.neighbours(1) == {
        "place": points["places"][0], "near": [], "benign": 0, "has_reference": False,
    }  # fmt: skip
