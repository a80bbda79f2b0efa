"""Captures that grow, on disk and on a pipe: the same flows as of the finished file."""

import gzip
import json
import os
import threading

import numpy as np
import polars as pl
import pytest

from contraview.modalities.flows.lab_traffic import day
from contraview.modalities.flows.live.captures import CaptureSupply, PipeSupply
from contraview.modalities.flows.live.packets import PacketSource
from contraview.modalities.flows.live.pipe import Pipe
from contraview.modalities.flows.live.source import Place
from contraview.modalities.flows.live.tail import Series, Tail
from contraview.modalities.flows.meter import meter

HEADER, PART = 24, 400_000


@pytest.fixture(scope="module")
def raw():
    """The first packets of a lab day, cut between two packets, and where a third begins."""
    with gzip.open(day(3)) as file:
        return file.read(PART * 3)


@pytest.fixture(scope="module")
def cuts(raw):
    """Where each packet of the capture begins."""
    at, places = HEADER, []
    while at + 16 <= len(raw):
        places.append(at)
        at += 16 + int.from_bytes(raw[at + 8 : at + 12], "little")
    return places


@pytest.fixture(scope="module")
def whole(raw, cuts, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.pcap"
    path.write_bytes(raw[: cuts[-1]])
    return meter(path).frame


class Steps:
    """A clock that stands still, and does the next thing whenever the source waits."""

    def __init__(self, *steps):
        self.steps, self.now = list(steps), 0.0

    def time(self):
        return self.now

    def elapsed(self):
        return self.now

    def sleep(self, seconds):
        if self.steps:
            self.steps.pop(0)()


def source(tail, clock, saved=None):
    before = saved and saved.facts["supply"]
    skip = before["packets"] if before else 0
    supply = CaptureSupply(tail(before and before["tail"]), clock=clock, poll=1.0, skip=skip)
    return PacketSource(supply, "std", clock=clock, saved=saved)


def flows(tail, clock, *, restart_every=10**9):
    """All flows, through restarts, with those still open at the end; and the troubles."""
    current = source(tail, clock)
    rows, troubles, quiet, readings = [], [], 0, 0
    while quiet < 6:
        batch = current.read(1.0)
        readings += 1
        rows += [] if batch.rows is None else [batch.rows]
        troubles += batch.troubles
        quiet = 0 if clock.steps or batch.received else quiet + 1
        if readings % restart_every == 0:
            place = current.place()
            current.close()
            facts = json.loads(json.dumps(place.facts))
            place = Place(facts, {name: np.array(array) for name, array in place.arrays.items()})
            current = source(lambda found: tail(found | {"offset": 0}), clock, place)
    rows.append(current._table(current._flows.finish()))
    current.close()
    return pl.concat([part for part in rows if part is not None]), troubles


def same(found, expected):
    key = ["timestamp", "flow_id"]
    found, expected = found.sort(key), expected.sort(key)
    assert found.height == expected.height
    for name in expected.columns:
        if expected[name].dtype.is_float():
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)
        else:
            assert found[name].equals(expected[name]), name


def appending(path, data, step):
    def add(at):
        with path.open("ab") as file:
            file.write(data[at : at + step])

    return [lambda at=at: add(at) for at in range(path.stat().st_size, len(data), step)]


@pytest.mark.parametrize("restart_every", [10**9, 2, 3])
def test_a_capture_that_grows_gives_the_flows_of_the_finished_one(
    raw, cuts, whole, tmp_path, restart_every
):
    path = tmp_path / "growing.pcap"
    path.write_bytes(raw[:100])
    clock = Steps(*appending(path, raw[: cuts[-1]], 177_777))
    found, troubles = flows(lambda s=None: Tail(path, s), clock, restart_every=restart_every)
    same(found, whole)
    assert troubles == []


@pytest.mark.parametrize("restart_every", [10**9, 2])
def test_flows_go_on_from_one_capture_of_a_series_to_the_next(
    raw, cuts, whole, tmp_path, restart_every
):
    bounds = [HEADER, cuts[len(cuts) // 3], cuts[len(cuts) // 2], cuts[-1]]

    def write(k):
        (tmp_path / f"eth0-{k}.pcap").write_bytes(raw[:HEADER] + raw[bounds[k] : bounds[k + 1]])

    write(0)
    pattern = str(tmp_path / "*.pcap")
    clock = Steps(lambda: write(1), lambda: None, lambda: None, lambda: write(2))
    found, troubles = flows(lambda s=None: Series(pattern, s), clock, restart_every=restart_every)
    same(found, whole)
    assert troubles == []


def test_a_capture_cut_inside_a_packet_is_told_and_the_next_is_read(raw, cuts, tmp_path):
    middle = cuts[len(cuts) // 2]
    (tmp_path / "a.pcap").write_bytes(raw[: middle + 20])
    clock = Steps(lambda: (tmp_path / "b.pcap").write_bytes(raw[:HEADER] + raw[middle : cuts[-1]]))
    found, troubles = flows(lambda s=None: Series(str(tmp_path / "*.pcap"), s), clock)
    assert [trouble.sort for trouble in troubles] == ["cut"]
    assert found.height > 100


def test_a_capture_that_loses_its_end_while_it_is_read_is_told(raw, cuts, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(raw[: cuts[-1]])
    clock = Steps(lambda: os.truncate(path, cuts[-5]))
    found, troubles = flows(lambda s=None: Tail(path, s), clock)
    assert [trouble.sort for trouble in troubles] == ["cut"]
    assert f"was cut to {cuts[-5]:,} bytes" in troubles[0].text
    assert found.height > 100


def test_what_is_no_capture_in_a_series_is_told_and_passed_over(raw, cuts, whole, tmp_path):
    (tmp_path / "a.pcap").write_bytes(b"no capture at all " * 100)
    os.utime(tmp_path / "a.pcap", (1, 1))
    (tmp_path / "b.pcap").write_bytes(raw[: cuts[-1]])
    found, troubles = flows(lambda s=None: Series(str(tmp_path / "*.pcap"), s), Steps())
    same(found, whole)
    assert [trouble.sort for trouble in troubles] == ["records"]


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_capture_on_a_pipe_gives_the_same_flows(raw, cuts, whole, ends_well):
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as file:
            for at in range(0, cuts[-1], 55_555):
                file.write(raw[at : min(at + 55_555, cuts[-1])])
            file.write(b"" if ends_well else raw[cuts[-1] : cuts[-1] + 7])

    threading.Thread(target=write, daemon=True).start()
    pipe = Pipe(reading)
    assert pipe.peek() == raw[:4]
    current = PacketSource(PipeSupply(pipe), "std", clock=Steps())
    rows, troubles = [], []
    while (batch := current.read(1.0)) is not None:
        rows += [] if batch.rows is None else [batch.rows]
        troubles += batch.troubles
    os.close(reading)
    same(pl.concat(rows), whole)
    assert [trouble.sort for trouble in troubles] == ([] if ends_well else ["cut"])


def test_flows_end_by_our_clock_while_nothing_comes(raw, cuts, whole, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(raw[: cuts[-1]])
    clock = Steps()
    current = source(lambda _: Tail(path), clock)
    parts = [current.read(0.0), current.read(0.0)]
    clock.now = 121.0  # within the grace: a packet may be on its way
    parts.append(current.read(0.0))
    before = sum(batch.rows.height for batch in parts if batch.rows is not None)
    clock.now = 123.0
    parts.append(current.read(0.0))
    current.close()
    same(pl.concat([batch.rows for batch in parts if batch.rows is not None]), whole)
    assert before < whole.height
