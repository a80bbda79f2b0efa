"""Packets cut out of a capture: metered again, they are the very flows that were asked for."""

import io
import shutil
import subprocess

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.meter import cutting, meter
from contraview.modalities.flows.schema import IDENTITY


@pytest.fixture(scope="module")
def day():
    path = lab_traffic.day(3)
    return path, meter(path).frame


def contents(flows):
    """What does not hang on times: a few stamps of the lab run backward, and stay as they are."""
    numbers = [f"{way}_{what}" for way in ("fwd", "bwd") for what in ("pkt_cnt", "pkt_len_tot")]
    columns = [*IDENTITY, *numbers, "flag_SYN", "flag_rst"]
    return flows.select(columns).sort(columns)


def cut(path, flows, tmp_path):
    out = tmp_path / "cut.pcap"
    with out.open("wb") as file:
        made = cutting.cut_out([path], flows, file)
    return out, made


@pytest.mark.parametrize("window", [131_072, 3_001])
def test_the_packets_of_chosen_flows_meter_to_these_flows(day, tmp_path, monkeypatch, window):
    monkeypatch.setattr(cutting, "WINDOW", window)
    path, flows = day
    chosen = flows.gather_every(7)
    out, made = cut(path, chosen, tmp_path)
    assert_frame_equal(contents(meter(out).frame), contents(chosen))
    assert made.packets == chosen.select(pl.col("fwd_pkt_cnt") + pl.col("bwd_pkt_cnt")).sum().item()
    assert made.other_link == 0


def test_one_of_several_flows_of_the_same_ends(day, tmp_path):
    path, flows = day
    repeated = flows.filter(pl.len().over("community_id") > 1).sort("community_id", "timestamp")
    assert repeated.height, "the lab reuses ports"
    one = repeated[1:2]
    _, made = cut(path, one, tmp_path)
    assert made.packets == one["fwd_pkt_cnt"].item() + one["bwd_pkt_cnt"].item()


def test_no_flows_are_an_empty_capture(day, tmp_path):
    path, flows = day
    out, made = cut(path, flows[:0], tmp_path)
    assert (out.stat().st_size, made.packets) == (24, 0)


def test_the_whole_capture_comes_back_but_for_what_no_flow_holds(day, tmp_path):
    path, flows = day
    whole, made = cut(path, flows, tmp_path)
    assert made.packets == meter(path).counts.metered
    assert_frame_equal(contents(meter(whole).frame), contents(flows))


@pytest.mark.parametrize("reader", [["tcpdump", "-nr"], ["tshark", "-nr"]], ids=lambda r: r[0])
def test_the_usual_tools_read_it(day, tmp_path, reader):
    if shutil.which(reader[0]) is None:
        pytest.skip(f"{reader[0]} is not installed: apt-get install {reader[0]}")
    path, flows = day
    out, made = cut(path, flows[:20], tmp_path)
    said = subprocess.run([*reader, out], capture_output=True, text=True, check=True)
    assert len(said.stdout.splitlines()) == made.packets


def test_memory_holds_one_window_at_a_time(day, monkeypatch):
    path, flows = day
    monkeypatch.setattr(cutting, "WINDOW", 500)
    seen = []
    among = cutting._Wanted.among

    def counted(self, packets):
        seen.append(packets.time.size)
        return among(self, packets)

    monkeypatch.setattr(cutting._Wanted, "among", counted)
    cutting.cut_out([path], flows[:5], io.BytesIO())
    assert len(seen) > 50
    assert max(seen) <= 500
