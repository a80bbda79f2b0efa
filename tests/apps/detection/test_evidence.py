"""Alerts of a capture: grouped, and their packets cut out."""

import json

import polars as pl
import pytest

from contraview.apps.cli import main
from contraview.apps.detection.detector import Detector
from contraview.core.run import Run
from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.data import read_flows
from contraview.modalities.flows.meter import meter


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    learnt_from = read_flows(lab_traffic.flows(1)).take(range(0, 6000, 2))
    detector = Detector(light=True, steps=20, max_fpr=0.01).fit(learnt_from, run=Run(seed=0))
    return str(detector.save(tmp_path_factory.mktemp("models") / "detector"))


def test_the_packets_of_alerts_are_those_of_their_flows(model, tmp_path, capsys):
    capture, packets, out = str(lab_traffic.day(3)), tmp_path / "packets.pcap", tmp_path / "alerts"
    asked = ["--format", "csv", "--pcap-out", str(packets), "--out", str(out)]
    assert main(["detect", model, capture, *asked]) == 0
    alerts = pl.read_csv(out)
    counted = int(alerts.select(pl.col("fwd_pkt_cnt") + pl.col("bwd_pkt_cnt")).sum().item())
    assert f"{packets}: {counted:,} packets of these alerts" in capsys.readouterr().err
    again = meter(packets)
    assert again.counts.metered == again.counts.packets == counted
    assert again.frame["flow_id"].sort().to_list() == alerts["flow_id"].sort().to_list()


def test_a_scan_of_the_lab_is_a_handful_of_alerts(model, capsys):
    capture = str(lab_traffic.day(3))
    assert main(["detect", model, capture, "--group"]) == 0
    groups = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    truth = pl.read_parquet(lab_traffic.flows(3)).filter(pl.col("label").str.contains("scan"))
    scanners = set(truth["src_addr"])
    of_scans = [group for group in groups if group["src_ip"] in scanners]
    flows = sum(group["contraview"]["group"]["flows"] for group in of_scans)
    assert flows > 20 * len(of_scans) > 0
    assert max(group["contraview"]["group"]["ports"] for group in of_scans) > 50


@pytest.mark.parametrize("which", ["table", "itself"])
def test_what_cannot_be_cut_is_refused_before_any_work(model, tmp_path, which, capsys):
    capture = tmp_path / "day.pcap.gz"
    capture.write_bytes(lab_traffic.day(3).read_bytes())
    source, out, says = {
        "table": (str(lab_traffic.flows(3)), tmp_path / "new.pcap", "is no capture"),
        "itself": (str(capture), capture, "is the capture itself"),
    }[which]
    assert main(["detect", model, source, "--pcap-out", str(out)]) == 2
    heard = capsys.readouterr()
    assert (heard.out, heard.err.count("\n")) == ("", 1)
    assert says in heard.err
    assert capture.read_bytes() == lab_traffic.day(3).read_bytes()
    assert not (tmp_path / "new.pcap").exists()
