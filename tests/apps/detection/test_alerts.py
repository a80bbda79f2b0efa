import io
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from contraview.apps.detection.alerts import event_id, severity, write_alerts
from contraview.apps.detection.reasons import Reason

ROW = {
    "flow_id": "10.0.0.1-10.0.0.2-5-80-6",
    "src_addr": "10.0.0.1",
    "src_port": 5,
    "dst_addr": "10.0.0.2",
    "dst_port": 80,
    "ip_prot": 6,
    "timestamp": datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC),
    "last_seen": datetime(2026, 1, 2, 3, 4, 7, 600, tzinfo=UTC),
    "fwd_pkt_cnt": 4.0,
    "bwd_pkt_cnt": 3.0,
    "community_id": "1:abc=",
    "score": 7.5,
    "view_clan": 8.0,
    "view_ecod": 7.0,
    "rule": None,
    "alert": True,
}
WHY = [Reason("bytes", 9.0, 1.0, 99.9, 2.5)]

EVE = {
    "timestamp": str, "flow_id": int, "event_type": str, "src_ip": str, "src_port": int,
    "dest_ip": str, "dest_port": int, "proto": str, "community_id": str,
    "alert.action": str, "alert.gid": int, "alert.signature_id": int, "alert.rev": int,
    "alert.signature": str, "alert.category": str, "alert.severity": int,
    "flow.start": str, "flow.pkts_toserver": int, "flow.pkts_toclient": int,
    "contraview.id": str, "contraview.score": float, "contraview.threshold": float,
    "contraview.views": dict, "contraview.reasons": list,
}  # fmt: skip
ECS = {
    "@timestamp": str, "ecs.version": str, "event.kind": str, "event.category": list,
    "event.type": list, "event.id": str, "event.module": str, "event.dataset": str,
    "event.start": str, "event.end": str, "event.duration": int, "event.severity": int,
    "event.risk_score": float, "event.risk_score_norm": float, "rule.id": str, "rule.name": str,
    "rule.category": str, "network.community_id": str, "network.transport": str,
    "network.packets": int, "source.ip": str, "source.port": int, "destination.ip": str,
    "destination.port": int, "contraview.score": float, "contraview.threshold": float,
    "contraview.views": dict, "contraview.reasons": list,
}  # fmt: skip


def write(form, row=ROW):
    out = io.StringIO()
    alerts = pl.DataFrame([row], schema_overrides={"rule": pl.String})
    write_alerts(out.write, form, alerts, [WHY], threshold=5.0)
    return out.getvalue()


def at(record, path):
    for name in path.split("."):
        record = record[name]
    return record


def leaves(record, prefix=""):
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path != "contraview.views":
            yield from leaves(value, f"{path}.")
        else:
            yield path


@pytest.mark.parametrize(("form", "table"), [("eve", EVE), ("ecs", ECS)])
def test_every_field_has_its_name_and_type_and_no_other_is_there(form, table):
    record = json.loads(write(form))
    assert set(leaves(record)) == set(table)
    for path, kind in table.items():
        assert type(at(record, path)) is kind, path


def test_eve_has_suricatas_time_and_a_flow_id_that_json_readers_keep():
    record = json.loads(write("eve"))
    assert record["timestamp"] == "2026-01-02T03:04:07.000600+0000"
    assert record["event_type"] == "alert"
    assert 0 <= record["flow_id"] < 2**53
    assert json.loads(write("eve", ROW | {"flow_id": 77}))["flow_id"] == 77


def test_ecs_is_an_alert_with_a_duration_in_nanoseconds():
    record = json.loads(write("ecs"))
    assert record["event"]["kind"] == "alert"
    assert record["event"]["category"] == ["network", "intrusion_detection"]
    assert record["event"]["duration"] == 2_000_000_000
    assert 0 < record["event"]["risk_score_norm"] < 100


def test_what_the_source_does_not_know_is_left_out():
    bare = {key: ROW[key] for key in ("score", "view_clan", "rule", "alert")}
    record = json.loads(write("eve", bare))
    assert "src_ip" not in record
    assert "flow" not in record


def test_ids_are_the_same_in_every_run_and_differ_between_flows():
    assert event_id(ROW) == event_id(ROW | {"score": 7.500001, "view_clan": 8.1})
    assert event_id(ROW) != event_id(ROW | {"flow_id": "other"})


def test_severity_steps_by_tenfold_rarity():
    assert [severity(score, 5.0) for score in (4.0, 5.1, 7.5, 9.7)] == [4, 3, 2, 1]


def test_a_rule_has_its_own_signature():
    record = json.loads(write("eve", ROW | {"score": 1.0, "rule": "flag_urg"}))
    assert record["alert"]["signature_id"] == 2
    assert record["alert"]["severity"] == 4


def test_a_hostile_field_stays_one_json_line_of_plain_characters():
    hostile = "\x1b[31m<script>\n\u202eevil"
    text = write("eve", ROW | {"flow_id": hostile, "src_addr": hostile})
    assert text.count("\n") == 1
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["src_ip"] == hostile


def test_csv_has_a_header_and_the_reasons():
    head, line = write("csv").splitlines()
    assert head.endswith("rule,reasons")
    assert line.endswith("bytes")
