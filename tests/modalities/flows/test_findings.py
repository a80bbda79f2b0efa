"""What inspect says of a table whose faults are known."""

import json
import math
from pathlib import Path

import polars as pl
import pytest

from contraview.modalities.flows.data import Flows, read_flows
from contraview.modalities.flows.findings import inspect


@pytest.fixture
def flows() -> Flows:
    n = 60
    kinds = ["tcp"] * 50 + ["udp"] * 9 + ["sctp"]
    table = pl.DataFrame(
        {
            "dur": [math.nan, math.inf, -math.inf, None, -1.0, *[float(i) for i in range(n - 5)]],
            "bytes": [i % 20 for i in range(n)],
            "octets": [2 * (i % 20) + 1 for i in range(n)],
            "offset": [-(i % 7) for i in range(n)],
            "init_win": [-1, 8192] * (n // 2),
            "mtu": [1500] * n,
            "proto": kinds,
            "site": ["a"] * n,
            "src_ip": ["10.0.0.1"] * n,
        }
    )
    return read_flows(table)


def test_faults_are_counted(flows: Flows) -> None:
    found = inspect(flows)
    assert found.rows == 60
    assert (found.corrupt, found.first_corrupt) == (0, "")
    assert found.nan == {"dur": 1}
    assert found.infinite == {"dur": 2}
    assert found.missing == {"dur": 1}
    assert found.negative == {"dur": 2}, "-inf and -1; offsets and windows may be negative"
    assert found.constant == {"mtu": 1500.0, "site": "a"}
    assert found.alike == (("bytes", "octets"),)
    assert found.identity == ("src_ip",)
    assert list(found.categories["proto"].items()) == [("tcp", 50), ("udp", 9), ("sctp", 1)]
    assert found.rare == {"proto": ("udp", "sctp")}


def test_repeated_rows_are_a_share(flows: Flows) -> None:
    table = flows.collect()
    assert inspect(flows).duplicates == 0
    twice = read_flows(pl.concat([table, table]))
    assert inspect(twice).duplicates == pytest.approx(0.5)


def test_findings_are_sentences_json_and_a_table(flows: Flows) -> None:
    found = inspect(flows)
    lines = found.lines()
    assert "infinite values: dur 2" in lines
    assert "constant columns: mtu = 1500.0, site = a" in lines
    assert "proto: 2 of 3 values are rare" in lines
    assert json.loads(json.dumps(found.to_json()))["nan"] == {"dur": 1}
    assert ("infinite", "dur", 2) in found.table().rows()


def test_corrupt_rows_are_told_but_their_text_is_not_stored(tmp_path: Path) -> None:
    lines = ["x,y", *(f"{i},{i % 3}" for i in range(99)), "10.0.0.7,1"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = inspect(read_flows(tmp_path / "t.csv"))
    assert found.corrupt == 1
    assert found.rows == 99
    assert "line 101, column 'x': '10.0.0.7' is no number" in found.lines()[0]
    assert "10.0.0.7" not in json.dumps(found.to_json())


def test_the_faults_of_cicflowmeter_are_seen(shared_data: Path) -> None:
    found = inspect(read_flows(shared_data / "nids" / "cicids2017_benign_days.parquet"))
    assert found.infinite == {"Flow Bytes/s": 12, "Flow Packets/s": 16}
    assert found.negative["Fwd Header Length"] == 24
    assert ("Fwd Header Length", "Fwd Header Length.1") in found.alike
