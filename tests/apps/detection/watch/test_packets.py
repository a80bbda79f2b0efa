"""A detector of captures on captures that grow: the alerts of the finished one."""

import gzip
import json
import os
import signal

import pytest
from test_follow import command, feed, stdin, until  # noqa: F401
from wall import StopWatchError, Wall, nothing

from contraview.apps.cli import main
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.watch.journal import Journal
from contraview.apps.detection.watch.opening import grows, open_source
from contraview.apps.detection.watch.watcher import Watcher
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from contraview.modalities.flows.lab_traffic import day, flows

BYTES = 2_500_000


@pytest.fixture(scope="module")
def capture():
    """The first part of a lab day with attacks, as bytes."""
    with gzip.open(day(3)) as file:
        return file.read(BYTES)


@pytest.fixture(scope="module")
def meter_detector():
    knobs = {"steps": 60, "light": True, "max_fpr": 0.02}
    benign = read_flows(flows(1), benign="label == benign", labels="label", drop=("service",))
    return Detector(**knobs).fit(benign.take(range(1500)), run=Run(seed=0))


@pytest.fixture(scope="module")
def meter_model(meter_detector, tmp_path_factory):
    return meter_detector.save(tmp_path_factory.mktemp("models") / "meter")


def watched(detector, name, out, clock):
    source = open_source(str(name), detector, clock=clock)
    log = Journal(out, source=source.name, model="m")
    if log.place is not None:
        source.close()
        source = open_source(str(name), detector, clock=clock, saved=log.place)
    watcher = Watcher(detector, source, log, form="eve", clock=clock)
    watcher.counters.go_on_from(log.counters)
    with pytest.raises(StopWatchError):
        watcher.run()
    return watcher.counters


def alerts(text):
    found = [json.loads(line) for line in text.splitlines()]
    return [line["contraview"]["id"] for line in found if "score" in line["contraview"]]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_folder_of_captures_gives_the_alerts_of_one(capture, meter_detector, tmp_path, restarts):
    path, out = tmp_path / "captures" / "a.pcap", tmp_path / "alerts.jsonl"
    path.parent.mkdir()
    path.write_bytes(capture)
    judged = list(detect(meter_detector, meter_detector.read(path)))
    path.write_bytes(capture[:1000])

    def grow(begin, end):
        with path.open("ab") as file:
            file.write(capture[begin:end])

    half = BYTES // 2
    steps = [lambda: grow(1000, half), lambda: grow(half, BYTES)]
    if restarts:
        for step in steps:
            watched(meter_detector, path.parent, out, Wall().then(step, nothing))
        steps = []
    # Two minutes in which nothing comes end every flow.
    clock = Wall().then(*steps, *[nothing] * 130)
    counters = watched(meter_detector, path.parent, out, clock)
    found = alerts(out.read_text())
    assert counters.flows == sum(map(len, judged))
    whole = sum(rows["alert"].sum() for rows in judged)
    assert len(found) == len(set(found)) == whole > 3


def test_a_capture_on_stdin_is_recognised(capture, meter_model, stdin, capsys):  # noqa: F811
    feed(stdin, capture)
    assert main(["detect", str(meter_model), "-"]) == 0
    heard = capsys.readouterr()
    assert len(alerts(heard.out)) > 3
    assert "active time-out 1,800 s, idle time-out 120 s" in heard.err


def test_a_kind_of_source_that_the_model_does_not_know_is_refused(
    capture, meter_detector, detector, tmp_path
):
    (tmp_path / "a.pcap").write_bytes(capture[:1000])
    clock = Wall()
    for name, model, says in (
        (tmp_path / "a.pcap", detector, "gives packets, but the model learnt from zeek_conn"),
        ("udp://127.0.0.1:0", detector, "gives nfdump records, but the model learnt"),
        ("udp://127.0.0.1", detector, "gives nfdump records"),
        (tmp_path / "b*.pcap", meter_detector, "no such file or folder"),
    ):
        with pytest.raises(InputError, match=says):
            open_source(str(name), model, clock=clock)


def test_what_can_only_be_followed_is_recognised(tmp_path):
    assert grows(["-"])
    assert grows(["udp://127.0.0.1:2055"])
    assert grows(["lo"])
    assert not grows([str(tmp_path)])


@pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs the right to")
def test_an_interface_is_watched_until_told_to_stop(meter_model, tmp_path):
    out = tmp_path / "counters.json"
    begun = command(meter_model, "lo", "--counters", out)
    until(lambda: begun.poll() is not None or out.exists())
    begun.send_signal(signal.SIGTERM)
    _, said = begun.communicate(timeout=600)
    assert begun.returncode == 0, said
    assert "lo: meter/std; an alert comes at most 1,923 s" in said
