import csv
import io
import json
import math
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from contraview.apps.detection.alerts import event_id, severity, write_alerts
from contraview.apps.detection.grouping import GROUP
from contraview.apps.detection.reasons import Reason
from contraview.modalities.flows.community_id import community_id

sys.path.insert(0, str(Path(__file__).parent))
from alert_fields import ECS, EVE, SOMETIMES

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


def write(form, row=ROW):
    out = io.StringIO()
    alerts = pl.DataFrame([row], schema_overrides={"rule": pl.String})
    inputs = [name for name in ("fwd_pkt_cnt", "bwd_pkt_cnt") if name in row]
    write_alerts(out.write, form, alerts, [WHY], threshold=5.0, inputs=inputs)
    return out.getvalue()


def at(record, path):
    for name in path.split("."):
        record = record[name]
    return record


def leaves(record, prefix=""):
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path not in ("contraview.views", "contraview.inputs"):
            yield from leaves(value, f"{path}.")
        else:
            yield path


@pytest.mark.parametrize(("form", "table"), [("eve", EVE), ("ecs", ECS)])
def test_every_field_has_its_name_and_type_and_no_other_is_there(form, table):
    record = json.loads(write(form))
    assert set(leaves(record)) == set(table)
    for path, kind in table.items():
        assert type(at(record, path)) is kind, path


@pytest.mark.parametrize(("form", "table"), [("eve", EVE), ("ecs", ECS)])
def test_what_only_some_alerts_have_is_typed_as_well(form, table):
    group = dict(zip(GROUP, (3, ROW["timestamp"], ROW["last_seen"], 2, 1), strict=True))
    record = json.loads(
        write(form, ROW | group | {"rule": "flag_urg", "uid": "CAbc", "named_attack": "scan"})
    )
    assert set(leaves(record)) == set(table | SOMETIMES)
    for path, kind in SOMETIMES.items():
        assert type(at(record, path)) is kind, path
    assert record["contraview"]["group"]["first"] == "2026-01-02T03:04:05.000600+0000"


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


HOSTILE = "\x1b[31m<script>alert(1)</script>\r\n\u202e=cmd|' /C calc'!A0 " + "x" * 100_000


@pytest.mark.parametrize("form", ["eve", "ecs", "csv", "table"])
def test_hostile_fields_come_out_harmless_in_every_form(form):
    row = ROW | {
        "flow_id": HOSTILE,
        "src_addr": HOSTILE,
        "dst_addr": "=1+1",
        "community_id": HOSTILE,
        "rule": HOSTILE,
        "service": "@SUM(1)",
    }
    out = io.StringIO()
    alerts = pl.DataFrame([row], schema_overrides={"rule": pl.String})
    why = [[Reason("service", HOSTILE, HOSTILE, 0.0, 2.5), Reason("n", math.inf, 1.0, 100.0, 1.0)]]
    write_alerts(out.write, form, alerts, why, threshold=5.0)
    text = out.getvalue()
    assert text.count("\n") == (1 if form in ("eve", "ecs") else 2)
    assert len(text) < 4_000
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert "characters)" in text
    if form == "csv":
        (cells,) = csv.DictReader(io.StringIO(text))
        assert cells["dst_addr"] == "'=1+1"
        assert cells["service"] == "'@SUM(1)"
    elif form != "table":
        assert text.isascii()
        assert "<" not in text
        record = json.loads(text)
        assert record.get("src_ip") is None
        assert "ip" not in record.get("source", {})


def test_a_hostile_column_name_is_no_formula_and_no_escape_sequence():
    alerts = pl.DataFrame([ROW | {"=cmd\x1b": 1}], schema_overrides={"rule": pl.String})
    out = io.StringIO()
    write_alerts(out.write, "csv", alerts, [WHY], threshold=5.0)
    assert "'=cmd\\x1b" in out.getvalue().splitlines()[0]


def test_the_table_reads_when_how_bad_who_and_why():
    head, line = write("table").splitlines()
    assert head.split() == ["TIME", "(UTC)", "SEV", "SCORE", "WHO", "WHY"]
    assert line.split("  ")[0] == "2026-01-02 03:04:07"
    assert "10.0.0.1:5 > 10.0.0.2:80 tcp" in line
    assert "bytes 9 (usual 1)" in line


ZEEK = {
    "ts": 1700000000.5, "uid": "CAbc1", "id.orig_h": "10.0.0.1", "id.orig_p": "50000",
    "id.resp_h": "fe80::2", "id.resp_p": "80", "proto": "tcp", "seconds": 2.0,
    "fwd_packets": 5.0, "bwd_packets": 4.0,
}  # fmt: skip
SURICATA = {
    "flow.start": datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC),
    "flow.end": "2023-11-14T22:13:22.500000+0000", "timestamp": "2023-11-14T22:13:30.0+0000",
    "flow_id": "586497171462735", "src_ip": "10.0.0.1", "src_port": "50000",
    "dest_ip": "fe80::2", "dest_port": "80", "proto": "TCP", "seconds": 2.0,
    "fwd_packets": 5.0, "bwd_packets": 4.0,
}  # fmt: skip
ARGUS = {
    "StartTime": datetime(2023, 11, 14, 22, 13, 20, 500_000), "SrcAddr": "10.0.0.1",
    "Sport": "0xc350", "DstAddr": "fe80::2", "Dport": "80", "Proto": "tcp", "seconds": 2.0,
    "fwd_packets": 5.0, "bwd_packets": 4.0,
}  # fmt: skip
NFDUMP = {
    "ts": "2023-11-14 22:13:20.500", "te": "2023-11-14 22:13:22.500", "sa": "10.0.0.1",
    "sp": "50000", "da": "fe80::2", "dp": "80", "pr": "TCP",
    "fwd_packets": 5.0, "bwd_packets": 4.0,
}  # fmt: skip


@pytest.mark.parametrize("row", [ZEEK, SURICATA, ARGUS, NFDUMP])
def test_every_log_tells_who_when_and_how_much(row):
    made = {"score": 7.5, "view_clan": 7.5, "rule": None, "alert": True}
    eve, ecs = (json.loads(write(form, row | made)) for form in ("eve", "ecs"))
    assert (eve["src_ip"], eve["src_port"]) == ("10.0.0.1", 50_000)
    assert (eve["dest_ip"], eve["dest_port"], eve["proto"]) == ("fe80::2", 80, "TCP")
    assert eve["flow"] == {
        "start": "2023-11-14T22:13:20.500000+0000", "pkts_toserver": 5, "pkts_toclient": 4,
    }  # fmt: skip
    assert eve["timestamp"] == "2023-11-14T22:13:22.500000+0000"
    assert eve["community_id"] == community_id("10.0.0.1", "fe80::2", 50_000, 80, 6)
    assert ecs["event"]["duration"] == 2_000_000_000
    assert ecs["network"]["transport"] == "tcp"
    if row is SURICATA:
        assert eve["flow_id"] == 586497171462735
    else:
        assert eve["flow_id"] < 2**53
    assert eve["contraview"].get("uid") == row.get("uid")


def test_what_is_no_address_is_in_no_address_field():
    row = ROW | {"src_addr": "00:15:17:2c:e5:2d", "community_id": None}
    eve, ecs = (json.loads(write(form, row)) for form in ("eve", "ecs"))
    assert "src_ip" not in eve
    assert eve["contraview"]["source"] == "00:15:17:2c:e5:2d"
    assert ecs["source"] == {"address": "00:15:17:2c:e5:2d", "port": 5}


def test_csv_has_a_header_and_the_reasons():
    head, line = write("csv").splitlines()
    assert head.endswith("rule,reasons")
    assert line.endswith("bytes")
