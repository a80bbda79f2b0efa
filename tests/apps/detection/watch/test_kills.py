"""A watcher that is killed between any two writes loses nothing and tells nothing twice."""

import json
import os
from collections import Counter

import pytest
from wall import StopWatchError, Wall, nothing

from contraview.apps.detection.conversation import Conversation
from contraview.apps.detection.detection import detect
from contraview.apps.detection.grouping import Groups
from contraview.apps.detection.watch.journal import Journal
from contraview.apps.detection.watch.opening import open_source
from contraview.apps.detection.watch.watcher import Watcher
from lab import conn_logs


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def mortal(monkeypatch):
    """Kills at one of the next few writes, syncs and renames; gives back how to arm it."""
    left = [0]
    real = os.write, os.fsync, os.replace

    def dying(do, g):
        def call(*arguments):
            left[0] -= 1
            if left[0] == 0:
                if do is real[0] and g.random() < 0.7:  # a part of it gets to the disk
                    do(arguments[0], arguments[1][: int(g.integers(len(arguments[1])))])
                raise KilledError
            return do(*arguments)

        return call

    def arm(g, writes):
        left[0] = writes
        for name, do in zip(("write", "fsync", "replace"), real, strict=True):
            monkeypatch.setattr(os, name, dying(do, g))

    return arm


def start(detector, log, out, clock, *, grouped):
    """A watcher as the command makes it, which goes on from its cursor."""
    source = open_source(str(log), detector, clock=clock)
    try:
        journal = Journal(out, source=source.name, model="model")
    except BaseException:
        source.close()
        raise
    if journal.place is not None:
        source.close()
        source = open_source(str(log), detector, clock=clock, saved=journal.place)
    groups = Groups() if grouped else None
    knobs = {"groups": groups, "saved": journal.place}
    watcher = Watcher(detector, source, journal, form="eve", clock=clock, **knobs)
    watcher.counters.go_on_from(journal.counters)
    return watcher


def watch_and_die(detector, log, out, parts, g, mortal, *, grouped):
    """Watch a log that grows by ``parts``, killed again and again; then stop it. Gives the
    kills and the last counters.
    """
    kills = 0
    steps = [lambda text=text: add(log, text) for text in parts]
    while True:
        mortal(g, int(g.integers(1, 9)) if kills < 40 else -1)
        given = steps[:2]
        clock = Wall().then(*given)
        try:
            start(detector, log, out, clock, grouped=grouped).run()
        except KilledError:
            kills += 1
        except StopWatchError:
            if not steps:
                break
        finally:
            del steps[: len(given) - len(clock.plan)]
    for writes in range(1, 9):
        mortal(g, writes)
        try:
            return kills, stopped(detector, log, out, grouped=grouped)
        except KilledError:
            kills += 1
    mortal(g, -1)
    return kills, stopped(detector, log, out, grouped=grouped)


def stopped(detector, log, out, *, grouped):
    """Watch what there is, stop, and give the counters."""
    clock = Wall()
    watcher = start(detector, log, out, clock, grouped=grouped)
    clock.then(nothing, watcher.stop)
    return watcher.run()


def add(path, text):
    with path.open("a") as file:
        file.write(text)


def told(out):
    """What the log says of alerts; a line that a kill cut for good is no JSON."""
    found = []
    for line in out.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            assert not line.endswith("}}")
    return found


@pytest.fixture
def growing(tmp_path):
    """A log, what will be added to it, and the log as it will be."""
    log = tmp_path / "conn.log"
    log.write_text(conn_logs.log(1000, seed=1))
    parts = [
        conn_logs.body(conn_logs.records(60, 10 + k, first=10_000 * (10 + k), odd=0.1))
        for k in range(12)
    ]
    whole = tmp_path / "whole.log"
    whole.write_text(log.read_text() + "".join(parts))
    return log, parts, whole


@pytest.mark.parametrize("seed", range(4))
def test_every_alert_is_there_once(detector, growing, tmp_path, mortal, seed):
    log, parts, whole = growing
    g = conn_logs.numpy_generator(seed, "kills")
    kills, counters = watch_and_die(
        detector, log, tmp_path / "alerts.jsonl", parts, g, mortal, grouped=False
    )
    assert kills > 5
    found = [line["contraview"]["id"] for line in told(tmp_path / "alerts.jsonl")]
    assert len(found) == len(set(found)) == counters.alerts
    mortal(g, -1)
    stopped(detector, whole, tmp_path / "whole.jsonl", grouped=False)
    assert set(found) == {line["contraview"]["id"] for line in told(tmp_path / "whole.jsonl")}


@pytest.mark.parametrize("seed", range(4))
def test_every_alert_is_in_one_group(detector, growing, tmp_path, mortal, seed):
    log, parts, whole = growing
    g = conn_logs.numpy_generator(seed, "kills of groups")
    kills, counters = watch_and_die(
        detector, log, tmp_path / "groups.jsonl", parts, g, mortal, grouped=True
    )
    assert kills > 5
    groups = told(tmp_path / "groups.jsonl")
    assert len({group["contraview"]["id"] for group in groups}) == len(groups)
    alerts = [
        Conversation.of(row)
        for rows in detect(detector, detector.read(whole))
        for row in rows.filter("alert").to_dicts()
    ]
    assert counters.alerts == len(alerts) > len(groups) > 0
    held = Counter()
    for group in groups:
        held[group["src_ip"], group["proto"]] += group["contraview"]["group"]["flows"]
    assert held == Counter((ends.src, ends.protocol) for ends in alerts)
