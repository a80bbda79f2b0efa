import json

import pytest
import wall
from wall import StopWatchError, Wall, nothing

from contraview.apps.detection.detection import detect
from contraview.apps.detection.watch.health import ModelWatch
from contraview.apps.detection.watch.journal import Journal
from contraview.apps.detection.watch.opening import open_source
from contraview.apps.detection.watch.watcher import Watcher
from lab import conn_logs


def watch(detector, path, out, clock, **knobs):
    """Watch until the clock's plan is through; gives back the watcher and what it said."""
    said = []
    source = open_source(str(path), detector, clock=clock)
    log = Journal(out, source=source.name, model="model")
    if log.place is not None:
        source.close()
        source = open_source(str(path), detector, clock=clock, saved=log.place)
    watcher = Watcher(detector, source, log, form="eve", clock=clock, say=said.append, **knobs)
    watcher.counters.go_on_from(log.counters)
    with pytest.raises(StopWatchError):
        watcher.run()
    return watcher.counters, said


def lines(out):
    return [json.loads(line) for line in out.read_text().splitlines()]


def ids(out):
    return [line["contraview"]["id"] for line in lines(out) if "score" in line["contraview"]]


def health(out):
    found = [line for line in lines(out) if "health" in line["contraview"]]
    assert all(line["event_type"] == "alert" for line in found)
    return [(line["contraview"]["health"], line["contraview"]["message"]) for line in found]


def add(path, text):
    with path.open("a") as file:
        file.write(text)


def more(rows=400, seed=2, **knobs):
    return conn_logs.body(conn_logs.records(rows, seed, first=10_000 * seed, **knobs))


def test_a_followed_log_gives_the_alerts_of_the_finished_one(detector, log, out):
    counters, _ = watch(detector, log, out, Wall())
    whole = [rows.filter("alert") for rows in detect(detector, detector.read(log))]
    assert [len(rows) for rows in whole] == [counters.alerts]
    scores = [round(score, 3) for score in whole[0]["score"]]
    found = lines(out)
    assert [line["contraview"]["score"] for line in found] == scores
    assert counters.received == counters.flows == 2000
    assert counters.alerts > 10


def test_the_alerts_do_not_depend_on_how_the_log_came(detector, log, out, tmp_path):
    watch(detector, log, out, Wall())
    whole = log.read_text()
    log.write_text(whole[:1000])
    steps = [
        lambda at=at: add(log, whole[at : at + 9_777]) for at in range(1000, len(whole), 9_777)
    ]
    pieces = tmp_path / "pieces.jsonl"
    watch(detector, log, pieces, Wall().then(*steps))
    assert ids(pieces) == ids(out)


def test_a_folder_is_followed_through_rotation(detector, log, out):
    def rotate():
        add(log, more())
        log.rename(log.with_name("conn.2026-01-01.log"))
        log.write_text(conn_logs.log(500, seed=3, first=90_000))

    counters, _ = watch(detector, log.parent, out, Wall().then(rotate, nothing, nothing, nothing))
    assert counters.flows == 2900
    assert len(ids(out)) == len(set(ids(out))) == counters.alerts
    assert counters.malformed == counters.health == 0


def test_a_restart_goes_on_where_the_cursor_stands(detector, log, out):
    first, _ = watch(detector, log, out, Wall())
    add(log, more())
    second, _ = watch(detector, log, out, Wall())
    assert (first.flows, second.flows) == (2000, 2400)
    assert len(set(ids(out))) == len(ids(out)) == second.alerts


def test_columns_in_another_order_are_told_and_read_on(detector, log, out):
    fields = conn_logs.FIELDS[::-1]
    table = conn_logs.records(300, 4, first=50_000).select(fields)
    add(log, conn_logs.head(fields) + conn_logs.body(table))
    counters, said = watch(detector, log, out, Wall())
    assert counters.flows == 2300
    assert counters.malformed == 0
    assert health(out) == [("columns", f"{log}: the columns changed: in another order")]
    assert any("columns changed" in line for line in said)


def test_a_column_that_goes_missing_is_told_and_the_log_read_on_when_it_is_back(detector, log, out):
    fields = [field for field in conn_logs.FIELDS if field != "orig_bytes"]
    table = conn_logs.records(300, 4, first=50_000).select(fields)
    back = conn_logs.log(200, 5, first=70_000)
    text = conn_logs.head(fields) + conn_logs.body(table)
    clock = Wall().then(lambda: add(log, text), lambda: add(log, back))
    counters, _ = watch(detector, log, out, clock)
    assert (counters.flows, counters.malformed) == (2200, 300)
    told = [message for sort, message in health(out) if sort == "columns"]
    assert "without orig_bytes" in told[0]
    assert "'orig_bytes' is missing; its records are left out" in told[1]
    assert "with orig_bytes" in told[2]


def test_a_json_log_that_loses_a_key_is_told(detector, tmp_path, out):
    log = tmp_path / "conn.log"
    table = conn_logs.records(400, 1)
    log.write_text(table.write_ndjson())
    add(log, "")
    clock = Wall().then(lambda: add(log, table.drop("orig_pkts").write_ndjson()))
    counters, _ = watch(detector, log, out, clock)
    assert counters.flows == 800
    assert [sort for sort, _ in health(out)] == ["columns"]
    assert "orig_pkts" in health(out)[0][1]


def test_a_log_of_other_lines_is_told_once_and_not_scored(detector, log, out):
    clock = Wall().then(*[lambda: add(log, "no such record\n" * 500)] * 3)
    counters, _ = watch(detector, log, out, clock)
    assert (counters.flows, counters.malformed) == (2000, 1500)
    assert [sort for sort, _ in health(out)] == ["records"]


def test_a_clock_that_goes_back_is_told_and_the_log_read_on(detector, log, out):
    back = more(begin=conn_logs.BEGIN - 86_400, seconds=60)
    clock = Wall().then(lambda: add(log, back), lambda: add(log, more(seed=3)))
    counters, _ = watch(detector, log, out, clock)
    assert counters.flows == 2800
    assert counters.late == 400
    (told,) = health(out)
    assert told[0] == "clock"
    assert "went back by" in told[1]


def test_a_clock_far_ahead_is_told(detector, log, out):
    clock = Wall(conn_logs.BEGIN - 7 * 86_400)
    watch(detector, log, out, clock)
    assert [sort for sort, _ in health(out)] == ["clock"]
    assert "ahead of this machine's clock" in health(out)[0][1]


def test_one_absurd_time_changes_nothing(detector, log, out):
    odd = conn_logs.records(1, 3, begin=conn_logs.BEGIN + 1e8, first=70_000)
    add(log, conn_logs.body(odd) + more())
    assert watch(detector, log, out, Wall())[0].health == 0


def test_a_quiet_time_writes_a_heartbeat(detector, log, out, tmp_path):
    clock, counters = Wall(), tmp_path / "counters.json"
    clock.then(*[nothing] * 130)
    watch(detector, log, out, clock, heartbeat=60.0, counters=counters)
    beats = [line for line in lines(out) if line["event_type"] == "stats"]
    first, second = (line["contraview"]["heartbeat"] for line in beats)
    assert first["flows_since"] == first["flows"] == 2000
    assert second["flows_since"] == second["alerts_since"] == 0
    assert second["last_record"].startswith("2023-11-14T")
    kept = json.loads(counters.read_text())
    assert kept["flows"] == 2000
    assert kept["at"] > second["last_record"]


def test_a_model_fitted_again_under_the_watcher_is_told_once(detector, log, out, tmp_path):
    folder = detector.save(tmp_path / "model")

    def refit():
        description = json.loads((folder / "system.json").read_text())
        (folder / "system.json").write_text(json.dumps(description | {"version": "next"}))

    clock = Wall().then(*[nothing] * 15, refit, *[nothing] * 40)
    watch(detector, log, out, clock, model=ModelWatch(folder))
    (told,) = health(out)
    assert told[0] == "model"
    assert "goes on with the one it loaded" in told[1]


def test_a_source_faster_than_the_watcher_is_told_by_how_much(detector, out):
    from contraview.modalities.flows.live.source import Batch, Place

    class Flood:
        name, kind, delay, replayable, queued = "flood", "zeek_conn", "", True, 0

        def __init__(self, clock):
            self.clock = clock

        def read(self, wait):
            self.clock.sleep(5)
            self.queued += 1000
            return Batch(received=10, queued=self.queued, unit="packets")

        def place(self):
            return Place()

        def rest(self):
            return Batch()

        def close(self):
            pass

    clock = Wall().then(*[nothing] * 20)
    log = Journal(out, source="flood", model="model")
    with pytest.raises(StopWatchError):
        Watcher(detector, Flood(clock), log, form="eve", clock=clock).run()
    ((sort, message),) = health(out)
    assert sort == "behind"
    assert "200 more each second" in message


def test_hostile_fields_reach_neither_terminal_nor_log_as_they_are(detector, log, out):
    evil = "\x1b[2J<script>alert(1)</script>\u202e" + "A" * 3000
    table = conn_logs.records(400, 2, first=30_000, odd=0.5)
    table = table.with_columns(uid=conn_logs.pl.lit(evil), service=conn_logs.pl.lit(evil))
    change = conn_logs.head([evil.replace("\t", ""), *conn_logs.FIELDS[1:]])
    add(log, conn_logs.body(table) + "B" * 3_000_000 + "\n" + more() + change + more(seed=3))
    counters, said = watch(detector, log, out, Wall())
    assert counters.flows == 3200
    assert counters.malformed == 1
    text = out.read_bytes()
    assert text.isascii()
    assert b"\x1b" not in text
    assert b"B" * 2000 not in text
    assert all(line.isprintable() and len(line) < 1200 for line in said)


def test_a_wall_clock_ends_when_its_plan_is_through():
    with pytest.raises(wall.StopWatchError):
        Wall().sleep(1)
