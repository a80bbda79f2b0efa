import json
from datetime import UTC, datetime

import polars as pl
import pytest

from contraview.apps.detection.living.feedback import (
    find_alert,
    flows_of,
    forget_feedback,
    load_feedback,
    record_feedback,
    records,
)
from contraview.core.errors import InputError

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def alert(digit, **inputs):
    inputs = {"bytes": 5, "rate": 0.25, "proto": "tcp"} | inputs
    own = {"id": digit * 32, "score": 7.5, "inputs": inputs}
    return {"src_ip": "10.0.0.1", "timestamp": "t", "contraview": own}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "system.json").write_text("{}")
    return tmp_path


def test_what_was_said_comes_back_and_holds_the_flow_but_no_address(folder):
    said = record_feedback(folder, alert("a"), "benign", now=NOW)
    other = record_feedback(folder, alert("b", rate=3.5), "attack", name="scan", now=NOW)
    assert load_feedback(folder) == [said, other]
    assert said.inputs == {"bytes": 5.0, "rate": 0.25, "proto": "tcp"}
    assert "10.0.0.1" not in str(pl.read_parquet(folder / "feedback.parquet").to_dicts())


def test_said_again_it_replaces_and_can_be_forgotten(folder):
    record_feedback(folder, alert("a"), "attack", now=NOW)
    again = record_feedback(folder, alert("a"), "benign", now=NOW)
    assert load_feedback(folder) == [again]
    assert forget_feedback(folder, "aaaa") == again
    assert load_feedback(folder) == []
    with pytest.raises(InputError, match="no feedback"):
        forget_feedback(folder, "aaaa")


def test_flows_that_differ_in_columns_are_one_table(folder):
    record_feedback(folder, alert("a"), "benign")
    record_feedback(folder, alert("b", extra=1, rate="text"), "benign")
    table = flows_of(load_feedback(folder))
    assert table["extra"].to_list() == [None, 1.0]
    assert table.height == 2


def test_an_ecs_alert_has_its_id_elsewhere(folder):
    own = alert("c")["contraview"]
    record = {"event": {"id": own.pop("id")}, "contraview": own}
    assert record_feedback(folder, record, "benign").id == "c" * 32


@pytest.mark.parametrize(
    ("verdict", "name", "said"),
    [
        ("benign", "scan", "no attack's name"),
        ("attack", "unknown", "neither"),
        ("attack", "<b>", "letters"),
    ],
)
def test_what_does_not_fit_is_refused(folder, verdict, name, said):
    with pytest.raises(InputError, match=said):
        record_feedback(folder, alert("a"), verdict, name=name)
    assert load_feedback(folder) == []


def test_an_alert_without_its_flow_cannot_be_learnt_from(folder):
    bare = alert("a")
    del bare["contraview"]["inputs"]
    with pytest.raises(InputError, match="does not carry its flow"):
        record_feedback(folder, bare, "benign")


def test_an_alert_is_found_by_the_beginning_of_its_id(tmp_path):
    path = tmp_path / "alerts.jsonl"
    health = {"contraview": {"id": "d" * 32, "health": "gap"}}
    lines = [json.dumps(each) for each in (alert("a"), health, alert("b"))]
    path.write_text("\n".join([*lines, '{"cut', "[1]"]))
    assert len(list(records(path))) == 2
    assert find_alert(path, "b" * 9) == alert("b")
    for wanted, said in (("b" * 7, "first 8"), ("d" * 8, "no alerts"), ("e" * 8, "no alerts")):
        with pytest.raises(InputError, match=said):
            find_alert(path, wanted)
    with pytest.raises(InputError, match="cannot be read"):
        find_alert(tmp_path / "none", "b" * 8)


def test_a_damaged_file_is_one_sentence(folder):
    (folder / "feedback.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="cannot be read"):
        load_feedback(folder)
