"""The traffic in the package is what its README says, and nothing else."""

import gzip
import struct
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lab.counts import counts
from lab.guard import NETWORK
from lab.label import KEY, label

from contraview.core.errors import InputError
from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.meter import meter
from contraview.modalities.flows.schema import STATISTICS

FOLDER = lab_traffic.day(1).parent
DAYS = (1, 2, 3)
ROOT = Path(__file__).parents[2]


def frames(day):
    """(captured length, wire length, bytes) of each frame of the capture."""
    content = gzip.decompress(lab_traffic.day(day).read_bytes())
    at = 24
    while at < len(content):
        _, _, captured, wire = struct.unpack_from("<IIII", content, at)
        yield captured, wire, content[at + 16 : at + 16 + captured]
        at += 16 + captured


def test_it_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) < 8e6


@pytest.mark.parametrize("page", [FOLDER / "README.md", ROOT / "docs" / "lab.md"])
def test_counts_are_those_of_the_page(page):
    table = counts({day: pl.read_parquet(lab_traffic.flows(day)) for day in DAYS})
    assert table in page.read_text()


@pytest.mark.parametrize("day", DAYS)
def test_only_lab_addresses_and_no_payload(day):
    packets = 0
    for captured, wire, frame in frames(day):
        packets += 1
        assert captured == min(wire, 96)
        kind = frame[12:14]
        if kind == b"\x08\x06":
            ends = (frame[28:32], frame[38:42])
        else:
            assert kind == b"\x08\x00"
            ends = (frame[26:30], frame[30:34])
            protocol = frame[23]
            transport = 14 + (frame[14] & 15) * 4
            header = (frame[transport + 12] >> 4) * 4 if protocol == 6 else 8
            assert not any(frame[transport + header :])
        assert all(IPv4Address(end) in NETWORK for end in ends)
    assert 30_000 < packets <= 95_000


@pytest.mark.parametrize("day", DAYS)
def test_flows_have_all_columns_and_the_labels_of_the_truth(day):
    flows = pl.read_parquet(lab_traffic.flows(day))
    assert flows.columns == ["timestamp", *KEY, *STATISTICS, "label", "service"]
    assert flows.select(STATISTICS).null_count().sum_horizontal().item() == 0
    assert not flows["label"].is_in(["unmatched"]).any()
    again = label(flows.drop("label", "service"), pl.read_parquet(lab_traffic.truth(day)))
    assert again.equals(flows)


@pytest.mark.parametrize("day", DAYS)
def test_the_flows_are_those_that_the_meter_makes_of_the_capture(day):
    key = ["timestamp", *KEY]
    metered = meter(lab_traffic.day(day), mode="std").frame.sort(key)
    flows = pl.read_parquet(lab_traffic.flows(day))
    assert metered.select(key).equals(flows.select(key))
    metered, flows = (frame.select(STATISTICS).to_numpy() for frame in (metered, flows))
    np.testing.assert_allclose(metered, flows, rtol=1e-6)


def test_day_one_is_benign_and_the_others_mostly():
    share = [(pl.read_parquet(lab_traffic.flows(day))["label"] == "benign").mean() for day in DAYS]
    assert share[0] == 1
    assert 0.5 < share[1] < 1
    assert 0.5 < share[2] < 1


def test_the_source_address_is_not_the_label():
    for day in (2, 3):
        flows = pl.read_parquet(lab_traffic.flows(day))
        attackers = flows.filter(pl.col("label") != "benign")["src_addr"].unique()
        benign = flows.filter(pl.col("src_addr").is_in(attackers.implode()), label="benign")
        assert benign.height > 100


def test_an_unknown_day_is_one_line():
    with pytest.raises(InputError, match="no day 4: expected 1, 2 or 3"):
        lab_traffic.flows(4)
