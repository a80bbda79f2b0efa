"""The commands of the pages about alerts, run as they stand there."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "apps" / "detection"))
import lab_logs
from alert_fields import ECS, SOMETIMES

DOCS = Path(__file__).parents[2] / "docs"
ENDS = ("src_ip", "src_port", "dest_ip", "dest_port")
COLUMNS = ("SrcAddr", "Sport", "DstAddr", "Dport")
"""What alerts and Argus call the ends of a flow."""
TEXTS = {"date", "keyword", "match_only_text", "ip"}
"""What Elastic holds texts as."""


def commands(page):
    """The first block of commands of a page."""
    found = re.search(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A folder with the command in it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "contraview"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m contraview "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def run(tools):
    """Runs a block of commands in a folder."""

    def block(text, folder):
        settings = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env=settings,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return block


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_ten_commands_from_capture_to_alerts(run, tmp_path):
    block = commands("detection.md")
    assert len(block.strip().splitlines()) == 10
    said = run(block, tmp_path)
    assert "false alarms a day" in said
    assert re.search(r"> [\d.]+, \d+ ports udp, \d+ flows", said), "a scan in a line"
    assert "AUROC, port_scan" in said
    alerts, groups = records(tmp_path / "alerts.jsonl"), records(tmp_path / "alerts.ndjson")
    assert len(alerts) > 5 * len(groups) > 0
    assert all(len(alert["contraview"]["views"]) == 2 for alert in alerts)
    assert {group["event"]["kind"] for group in groups} == {"alert"}
    assert pl.read_csv(tmp_path / "alerts.csv").height == sum(
        group["contraview"]["group"]["flows"] for group in groups
    )
    assert (tmp_path / "alerts.pcap").stat().st_size > 1000
    assert "<html" in (tmp_path / "model" / "report.html").read_text()[:500]


def test_two_weeks(run, tmp_path):
    said = run(commands("living.md"), tmp_path)
    named = said.index("new: tcp/1883 (mqtt)")
    assert named < said.index("fits "), "before the analyst"
    assert re.search(r"service mqtt; until 2099-12-31 23:59 UTC; fits \d+ of [\d,]+ alerts", said)
    assert re.search(r"benign flows that alert +(\d+) of \1  ->  \d of \1", said)
    assert "attacks it can name          udp_scan" in said
    steps = [step["what"] for step in records(tmp_path / "model" / "lineage.jsonl")]
    assert steps == ["fit detector", "feedback", "refit"]
    day = json.loads((tmp_path / "drift-after" / "drift.json").read_text())["periods"][0]
    assert day["alerts"] < 0.03 * day["flows"]
    attacks = [each["contraview"].get("attack") for each in records(tmp_path / "tuesday.jsonl")]
    assert set(attacks) == {"udp_scan", "unknown"}
    assert "mqtt" in (tmp_path / "drift" / "drift.html").read_text()


@pytest.fixture(scope="module")
def zeek(run, tmp_path_factory):
    """A folder with logs in which the commands of the page have run, and what they said."""
    folder = tmp_path_factory.mktemp("zeek")
    for name, day in (("quiet", 1), ("monday", 2), ("today", 3)):
        (folder / name).mkdir()
        lines = lab_logs.zeek(lab_logs.flows(day, benign_only=day < 3))
        if name == "quiet":
            lab_logs.gzipped(folder / name / "conn.0.log.gz", lines[::2])
            lab_logs.gzipped(folder / name / "conn.1.log.gz", lines[1::2])
        else:
            (folder / name / "conn.log").write_text("".join(lines))
    (folder / "today" / "dns.log").write_text('{"uid":"Cnone"}\n')
    return folder, run(commands("recipes/zeek.md"), folder)


def test_zeek(zeek):
    folder, said = zeek
    assert "WHO" in said
    alerts = records(folder / "alerts.jsonl")
    known = {record["uid"]: record for record in records(folder / "today" / "conn.log")}
    for alert in alerts:
        record = known[alert["contraview"]["uid"]]
        assert (alert["src_ip"], alert["dest_port"]) == (record["id.orig_h"], record["id.resp_p"])
        assert alert["community_id"] == record["community_id"]
    seen = {record["uid"] for record in records(folder / "seen.log")}
    assert seen == {alert["contraview"]["uid"] for alert in alerts}
    share = {kind: found / count for kind, (found, count) in lab_logs.found(alerts, 3).items()}
    assert share["benign"] < 0.02 < max(share.values()), share


def test_the_stored_log_of_another_network_runs_through_the_same_model(zeek, run):
    stored = os.environ.get("CONTRAVIEW_DATA")
    if stored is None:
        pytest.skip("CONTRAVIEW_DATA does not say where the stored logs are")
    log = Path(stored) / "nids" / "slips_port-scans_vertical_conn.log.gz"
    said = run(f"contraview detect model {log} --max-fpr 0.05", zeek[0])
    with gzip.open(log, "rt") as file:
        known = {record["uid"]: record for record in map(json.loads, file)}
    alerts = [json.loads(line) for line in said.splitlines()]
    assert alerts
    for alert in alerts:
        record = known[alert["contraview"]["uid"]]
        assert (alert["src_ip"], alert["dest_port"]) == (record["id.orig_h"], record["id.resp_p"])
        assert alert["flow"]["pkts_toserver"] == record["orig_pkts"]


def test_suricata(run, tmp_path):
    for folder, day in (("quiet", 1), ("monday", 2), ("today", 3)):
        (tmp_path / folder).mkdir()
        lines = lab_logs.suricata(lab_logs.flows(day, benign_only=day < 3))
        (tmp_path / folder / "eve.json").write_text("".join(lines))
    run(commands("recipes/suricata.md"), tmp_path)
    alerts = records(tmp_path / "contraview.json")
    known = {record["flow_id"]: record for record in map(json.loads, lines) if "flow" in record}
    for alert in alerts:
        record = known[alert["flow_id"]]
        assert (alert["src_ip"], alert["dest_ip"]) == (record["src_ip"], record["dest_ip"])
        assert alert["flow"]["start"] == record["flow"]["start"]
        assert alert["community_id"] == record["community_id"]
    seen = records(tmp_path / "seen.json")
    assert {record["flow_id"] for record in seen} == {alert["flow_id"] for alert in alerts}
    assert {record["event_type"] for record in seen} == {"flow", "dns"}


@pytest.fixture(scope="module")
def argus(run, tmp_path_factory):
    """A folder with flow records in which the commands of the page have run; what they said."""
    folder = tmp_path_factory.mktemp("argus")
    for name, day in (("quiet", 1), ("monday", 2), ("today", 3)):
        lines = lab_logs.argus(lab_logs.flows(day, benign_only=day < 3))
        (folder / f"{name}.binetflow").write_text("".join(lines))
    return folder, run(commands("recipes/argus.md"), folder)


def test_argus(argus):
    folder, said = argus
    assert "WHO" in said
    alerts = records(folder / "alerts.jsonl")
    flows = pl.read_csv(folder / "today.binetflow", infer_schema=False)
    known = set(flows.select(COLUMNS).rows())
    for alert in alerts:
        assert tuple(str(alert[end]) for end in ENDS) in known
    share = {kind: found / count for kind, (found, count) in lab_logs.found(alerts, 3).items()}
    assert share["benign"] < 0.02 < max(share.values()), share


@pytest.mark.parametrize("name", ["slips_test5-mixed", "slips_test4-malicious"])
def test_stored_binetflow_runs_through_the_same_model(argus, run, name):
    stored = os.environ.get("CONTRAVIEW_DATA")
    if stored is None:
        pytest.skip("CONTRAVIEW_DATA does not say where the stored logs are")
    log = Path(stored) / "nids" / f"{name}.binetflow.gz"
    said = run(f"contraview detect model {log} --max-fpr 0.05", argus[0])
    with gzip.open(log, "rt") as file:
        first = file.readline()
        separator = "," if "," in first else "\t"
        columns = first.rstrip("\n").split(separator)
        rows = [dict(zip(columns, line.split(separator), strict=False)) for line in file]
    known = {tuple(row[column].strip() for column in COLUMNS) for row in rows}
    alerts = [json.loads(line) for line in said.splitlines()]
    assert alerts
    addressed = 0
    for alert in alerts:
        assert alert["alert"]["severity"] in (1, 2, 3, 4)
        if "src_port" in alert and "src_ip" in alert and alert["proto"] in ("TCP", "UDP"):
            assert tuple(str(alert[end]) for end in ENDS) in known
            addressed += 1
    assert addressed


@pytest.fixture(scope="module")
def documents():
    """What Elastic's bulk interface would be given, from one alert of every sort."""
    import io

    from test_alerts import ROW, WHY, write_alerts

    from contraview.apps.detection.grouping import GROUP

    group = dict(zip(GROUP, (3, ROW["timestamp"], ROW["last_seen"], 2, 1), strict=True))
    rows = [ROW, ROW | group | {"rule": "flag_urg", "uid": "CAbc", "flow_id": "other"}]
    out = io.StringIO()
    for row in rows:
        alerts = pl.DataFrame([row], schema_overrides={"rule": pl.String})
        write_alerts(out.write, "ecs", alerts, [WHY], threshold=5.0)
    return out.getvalue()


def test_elastic_bulk(run, tmp_path, documents):
    (tmp_path / "alerts.ndjson").write_text(documents)
    _, bulk = commands("recipes/elastic.md").strip().splitlines()
    run(bulk, tmp_path)
    lines = records(tmp_path / "bulk.ndjson")
    assert lines[1::2] == [json.loads(line) for line in documents.splitlines()]
    for action, document in zip(lines[::2], lines[1::2], strict=True):
        assert action == {"create": {"_id": document["event"]["id"]}}


def test_the_elastic_template_maps_every_field_by_its_type():
    template = json.loads((DOCS / "recipes" / "elastic-template.json").read_text())
    mapped = dict(leaves(template["template"]["mappings"]["properties"]))
    assert set(mapped) == set(ECS | SOMETIMES)
    kinds = {str: TEXTS, int: {"long"}, float: {"float"}}
    for path, kind in (ECS | SOMETIMES).items():
        if path in ("event.category", "event.type"):
            assert mapped[path] == "keyword"
        else:
            assert mapped[path] in kinds.get(kind, {"object", "nested"}), path
    for path in ("@timestamp", "event.start", "event.end"):
        assert mapped[path] == "date"
    assert (mapped["source.ip"], mapped["destination.ip"]) == ("ip", "ip")


def leaves(properties, prefix=""):
    for name, entry in properties.items():
        if "type" in entry:
            yield f"{prefix}{name}", entry["type"]
        else:
            yield from leaves(entry["properties"], f"{prefix}{name}.")
