"""Logs of Zeek, Suricata, Argus and nfdump: rows, inputs worked out by hand, gzip, order."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from contraview.core.errors import InputError
from contraview.modalities.flows.data import read_flows

ZEEK = {
    "ts": "1700000000.5",
    "uid": "CAbc1",
    "id.orig_h": "10.0.0.1",
    "id.orig_p": "50000",
    "id.resp_h": "10.0.0.2",
    "id.resp_p": "80",
    "proto": "tcp",
    "service": "http",
    "duration": "2.0",
    "orig_bytes": "100",
    "resp_bytes": "300",
    "conn_state": "SF",
    "missed_bytes": "0",
    "history": "ShADadTtfF^",
    "orig_pkts": "5",
    "orig_ip_bytes": "360",
    "resp_pkts": "4",
    "resp_ip_bytes": "508",
    "community_id": "1:abc",
}
SCAN = ZEEK | {
    "uid": "CAbc2",
    "service": "-",
    "duration": "-",
    "orig_bytes": "-",
    "resp_bytes": "-",
    "conn_state": "S0",
    "history": "S",
    "orig_pkts": "1",
    "resp_pkts": "0",
}


def zeek_tsv(rows: list[dict[str, str]]) -> str:
    head = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-"]
    fields = "\t".join(["#fields", *rows[0]])
    return "\n".join(
        [
            *head,
            "#path\tconn",
            fields,
            "#types\ttime",
            *("\t".join(row.values()) for row in rows),
            "#close\t2023-11-14-22-13-20",
            "",
        ]
    )


def zeek_json(rows: list[dict[str, str]]) -> str:
    texts = {"uid", "id.orig_h", "id.resp_h", "proto", "service", "conn_state", "history"}
    texts.add("community_id")
    lines = [{k: v if k in texts else float(v) for k, v in row.items() if v != "-"} for row in rows]
    return "\n".join(map(json.dumps, lines)) + "\n"


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [ZEEK, SCAN, *({**ZEEK, "uid": f"D{i}"} for i in range(20))]


def test_zeek_inputs_are_what_the_fields_say(tmp_path: Path, rows: list) -> None:
    (tmp_path / "conn.log").write_text(zeek_tsv(rows))
    flows = read_flows(tmp_path / "conn.log")
    assert (flows.kind, len(flows), flows.time, flows.label) == ("zeek_conn", 22, "ts", None)
    assert flows.categorical == ("proto", "service", "conn_state")
    assert {"uid", "id.orig_h", "id.resp_p", "community_id"} <= set(flows.identity)
    first, scan = flows.collect().head(2).to_dicts()
    expected = {
        "ts": 1700000000.5,
        "seconds": 2.0,
        "fwd_bytes": 100.0,
        "bwd_bytes": 300.0,
        "bytes_per_s": 200.0,
        "packets_per_s": 4.5,
        "fwd_bytes_per_packet": 20.0,
        "bwd_bytes_per_packet": 75.0,
        "bwd_byte_share": 0.75,
        "fwd_syn": 1.0,
        "bwd_handshake": 1.0,
        "fwd_retransmitted": 1.0,
        "bwd_retransmitted": 1.0,
        "bwd_syn": 0.0,
        "flipped": 1.0,
        "service": "http",
    }
    assert {name: first[name] for name in expected} == expected
    assert (scan["seconds"], scan["fwd_bytes"], scan["fwd_packets"]) == (0.0, 0.0, 1.0)
    assert (scan["bytes_per_s"], scan["bwd_byte_share"], scan["service"]) == (0.0, 0.0, "-")


def test_zeek_json_tsv_csv_and_another_field_order_agree(tmp_path: Path, rows: list) -> None:
    turned = [dict(reversed(row.items())) for row in rows]
    (tmp_path / "a.log").write_text(zeek_tsv(rows))
    (tmp_path / "b.log").write_text(zeek_tsv(turned))
    (tmp_path / "c.log").write_text(zeek_json(rows))
    with gzip.open(tmp_path / "d.log.gz", "wt") as file:
        file.write(zeek_json(turned))
    pl.DataFrame(rows).write_csv(tmp_path / "e.csv")
    expected = read_flows(tmp_path / "a.log")
    for name in ("b.log", "c.log", "d.log.gz", "e.csv"):
        flows = read_flows(tmp_path / name)
        assert flows.kind == "zeek_conn"
        assert flows.fingerprint() == expected.fingerprint(), name


def test_zeek_logs_joined_end_to_end(tmp_path: Path, rows: list) -> None:
    path = tmp_path / "conn.log"
    path.write_text(zeek_tsv(rows) + zeek_tsv(rows))
    assert len(read_flows(path)) == 44
    path.write_text(zeek_tsv(rows) + zeek_tsv([dict(reversed(row.items())) for row in rows]))
    with pytest.raises(InputError, match="a later #fields line names other columns"):
        read_flows(path)


def test_zeek_keys_that_come_late_or_never(tmp_path: Path) -> None:
    short = {k: v for k, v in SCAN.items() if k != "community_id"}
    lines = [zeek_json([short])] * 500 + [zeek_json([ZEEK])]
    (tmp_path / "conn.log").write_text("".join(lines))
    flows = read_flows(tmp_path / "conn.log")
    assert flows.collect()["bytes_per_s"].to_list() == [0.0] * 500 + [200.0]
    assert flows.collect()["service"].unique().sort().to_list() == ["-", "http"]


def test_another_log_of_zeek_is_refused(tmp_path: Path, rows: list) -> None:
    (tmp_path / "dns.log").write_text(zeek_tsv(rows).replace("#path\tconn", "#path\tdns"))
    with pytest.raises(InputError, match=r"dns.log: is Zeek's dns.log; expected conn.log"):
        read_flows(tmp_path / "dns.log")


EVE = {
    "timestamp": "2024-03-01T10:00:09.000000+0000",
    "flow_id": 586497171462735,
    "event_type": "flow",
    "src_ip": "10.0.0.1",
    "src_port": 50000,
    "dest_ip": "10.0.0.2",
    "dest_port": 443,
    "proto": "TCP",
    "app_proto": "tls",
    "flow": {
        "pkts_toserver": 4,
        "pkts_toclient": 2,
        "bytes_toserver": 400,
        "bytes_toclient": 100,
        "start": "2024-03-01T11:00:00.000000+0100",
        "end": "2024-03-01T10:00:02.500000+0000",
        "age": 2,
        "state": "closed",
        "reason": "timeout",
        "alerted": True,
    },
    "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1a", "tcp_flags_tc": "13", "state": "closed"},
}


def test_suricata_flows_are_found_among_other_events(tmp_path: Path) -> None:
    udp = {k: v for k, v in EVE.items() if k not in ("tcp", "app_proto")} | {"proto": "UDP"}
    alert = {"timestamp": EVE["timestamp"], "event_type": "alert", "alert": {"severity": 1}}
    dns = {"timestamp": EVE["timestamp"], "event_type": "dns", "dns": {"rrname": "x"}}
    lines = [udp, alert, EVE, dns, *([EVE] * 10)]
    (tmp_path / "eve.json").write_text("\n".join(map(json.dumps, lines)))
    flows = read_flows(tmp_path / "eve.json")
    assert (flows.kind, len(flows), flows.time) == ("suricata_eve", 12, "flow.start")
    assert flows.intake.notes[0].endswith("2 records are no flows; left out")
    assert {"flow_id", "src_ip", "dest_port"} <= set(flows.identity)
    assert "flow.alerted" in flows.left_out, "what rules said is no input"
    first, second = flows.collect().head(2).to_dicts()
    assert (first["app_proto"], first["tcp.state"], first["fwd_syn"]) == ("-", "-", 0.0)
    assert (second["seconds"], second["fwd_bytes"], second["bytes_per_s"]) == (2.5, 400.0, 200.0)
    flags = ("fin", "syn", "rst", "psh", "ack")
    assert [second[f"fwd_{flag}"] for flag in flags] == [0, 1, 0, 1, 1]
    assert [second[f"bwd_{flag}"] for flag in flags] == [1, 1, 0, 0, 1]


def test_suricata_sees_a_tcp_object_that_comes_late(tmp_path: Path) -> None:
    udp = {k: v for k, v in EVE.items() if k != "tcp"}
    lines = [json.dumps(udp)] * 400 + [json.dumps(EVE)]
    (tmp_path / "eve.json").write_text("\n".join(lines))
    found = read_flows(tmp_path / "eve.json").collect()
    assert found["fwd_syn"].sum() == 1
    assert found["tcp.state"].to_list()[-1] == "closed"


def test_binetflow(tmp_path: Path) -> None:
    header = (
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,"
        "TotPkts,TotBytes,SrcBytes,Label"
    )
    rows = [
        (
            "2011/08/10 09:46:53.047277,4.0,tcp,10.0.0.1,1577,   ->,10.0.0.2,6881,SPA_FRA,0,0,"
            "4,800,200,flow=Background"
        ),
        (
            "2011/08/10 09:46:54.047277,0.0,udp,10.0.0.1,1577,  <->,10.0.0.2,0x0035,CON,0,,"
            "2,200,100,flow=From-Botnet"
        ),
    ]
    (tmp_path / "a.binetflow").write_text("\n".join([header, *rows * 10]))
    flows = read_flows(tmp_path / "a.binetflow")
    assert (flows.kind, len(flows), flows.label) == ("binetflow", 20, "Label")
    assert flows.intake.corrupt == 0, "a port in hexadecimal is a port"
    tcp, udp = flows.collect().head(2).to_dicts()
    assert (tcp["seconds"], tcp["bwd_bytes"], tcp["bytes_per_s"]) == (4.0, 600.0, 200.0)
    assert (tcp["Dir"], tcp["bwd_byte_share"]) == ("->", 0.75)
    assert [tcp[f"fwd_{f}"] for f in ("syn", "ack", "fin", "rst", "psh")] == [1, 1, 0, 0, 1]
    assert [tcp[f"bwd_{f}"] for f in ("syn", "ack", "fin", "rst", "psh")] == [0, 1, 1, 1, 0]
    assert udp["fwd_ack"] == udp["bwd_ack"] == 0.0
    assert str(tcp["StartTime"]) == "2011-08-10 09:46:53.047277+00:00"


def test_nfdump_stops_at_its_totals(tmp_path: Path) -> None:
    header = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out"
    row = (
        "2024-03-01 10:00:00,2024-03-01 10:00:02,2.000,10.0.0.1,10.0.0.2,443,50000,TCP,...AP.SF,"
        "0,0,8,400,2,100,0,0"
    )
    totals = ["Summary", "flows,bytes,packets,avg_bps,avg_pps,avg_bpp", "2,5,6,7,8,9"]
    (tmp_path / "nf.csv").write_text("\n".join([header, *[row] * 12, *totals, ""]))
    flows = read_flows(tmp_path / "nf.csv")
    assert (flows.kind, len(flows), flows.intake.corrupt) == ("nfdump", 12, 0)
    first = flows.collect().to_dicts()[0]
    assert (first["seconds"], first["fwd_bytes"], first["bwd_packets"]) == (2.0, 400.0, 2.0)
    assert (first["bytes_per_s"], first["syn"], first["rst"], first["pr"]) == (250.0, 1, 0, "TCP")


def test_stored_logs_of_a_real_sensor(shared_data: Path) -> None:
    folder = shared_data / "nids"
    scans = [folder / f"slips_port-scans_{way}_conn.log.gz" for way in ("horizontal", "vertical")]
    assert [len(read_flows(path)) for path in scans] == [41, 50]
    both = read_flows(scans)
    assert (both.kind, len(both), both.intake.corrupt) == ("zeek_conn", 91, 0)
    argus = [folder / f"slips_{name}.binetflow.gz" for name in ("test4-malicious", "test5-mixed")]
    assert [(f.kind, len(f), f.intake.corrupt) for f in map(read_flows, argus)] == [
        ("binetflow", 394, 0),
        ("binetflow", 300, 0),
    ]


def test_a_capture_goes_through_the_meter(shared_data: Path) -> None:
    path = shared_data / "nids" / "slips_test19-malicious-ssh_malicious-ssh-bruteforce.pcap.gz"
    flows = read_flows(path)
    assert (flows.kind, len(flows), len(flows.numeric)) == ("meter/std", 67, 75)
    assert flows.categorical == ()
    assert {"src_addr", "dst_port", "community_id"} <= set(flows.identity)
    assert flows.time == "timestamp"
    assert "packets 1,178" in flows.intake.notes[0]
    assert read_flows(path, mode="lycos").kind == "meter/lycos"
