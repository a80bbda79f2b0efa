"""Tables in: roles, benign rows, batches, what a model may be given."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.flows.data import Flows, FlowSource, read_flows
from contraview.modalities.flows.readers.parquet import KIND_KEY
from contraview.modalities.flows.schema import STATISTICS


@pytest.fixture
def table() -> pl.DataFrame:
    n = 40
    return pl.DataFrame(
        {
            "dur": [0.5 * i for i in range(n)],
            "bytes": list(range(n)),
            "proto": ["tcp", "udp"] * (n // 2),
            "src_ip": [f"10.0.0.{i}" for i in range(n)],
            "dport": [80, 443] * (n // 2),
            "ts": [1_700_000_000.5 + i for i in range(n)],
            "note": [f"flow number {i}" for i in range(n)],
            "Label": ["ok", "ok", "ok", "scan"] * (n // 4),
        }
    )


def test_a_table_finds_the_role_of_each_column(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label")
    assert flows.kind == "table"
    assert flows.numeric == ("dur", "bytes")
    assert flows.categorical == ("proto",)
    assert flows.columns == ("dur", "bytes", "proto")
    assert flows.identity == ("src_ip", "dport", "note")
    assert flows.left_out == {"note": "text with too many different values for a category"}
    assert (flows.label, flows.time) == ("Label", "ts")
    assert flows.collect().columns == table.columns
    assert len(flows) == 40


@pytest.mark.parametrize("name", ["label", "Label", "attack_cat", "Attack", "class", "TARGET"])
def test_what_looks_like_a_label_must_be_named(table: pl.DataFrame, name: str) -> None:
    renamed = table.rename({"Label": name})
    with pytest.raises(InputError, match=f"column '{name}' looks like a label; name it"):
        read_flows(renamed)
    assert read_flows(renamed, labels=name).label == name
    assert read_flows(renamed, drop=(name,)).label is None
    assert name in read_flows(renamed, categorical=(name,)).categorical
    assert read_flows(renamed, benign=f"{name} == ok").label == name


def test_a_column_of_the_benign_condition_is_no_input(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label", benign="proto == tcp")
    assert flows.categorical == ()
    assert flows.label == "Label"
    assert len(flows.benign()) == 20


def test_benign_rows_labels_and_take(table: pl.DataFrame) -> None:
    flows = read_flows(table, benign="Label == ok")
    assert len(flows.benign()) == 30
    assert flows.benign().collect()["Label"].unique().to_list() == ["ok"]
    assert flows.labels()[:4].tolist() == ["ok", "ok", "ok", "scan"]
    assert flows.take(np.array([3, 0])).collect()["bytes"].to_list() == [3, 0]
    with pytest.raises(InputError, match=r"'Label == normal' keeps no row; 'Label' holds ok, scan"):
        read_flows(table, benign="Label == normal").benign()


def test_without_a_condition_all_rows_count_as_benign(table: pl.DataFrame) -> None:
    assert len(read_flows(table, labels="Label").benign()) == 40


def test_labels_need_a_column(table: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="has no labels"):
        read_flows(table, drop=("Label",)).labels()


def test_unknown_columns_and_settings_are_named(table: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="no column 'lable'; there are dur, bytes"):
        read_flows(table, labels="lable")
    with pytest.raises(InputError, match="FlowSource: no setting 'label'"):
        read_flows(table, label="Label")
    with pytest.raises(InputError, match="no kind of flow record 'pcap2'; there are unsw_nb15"):
        read_flows(table, kind="pcap2", labels="Label")


def test_pandas_and_lazy_tables_read_the_same(table: pl.DataFrame) -> None:
    expected = read_flows(table, labels="Label")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table.to_dict(as_series=False))
    for source in (frame, table.lazy()):
        flows = read_flows(source, labels="Label")
        assert flows.columns == expected.columns
        assert flows.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_and_parquet_read_the_same(table: pl.DataFrame, tmp_path: Path, separator: str) -> None:
    csv, parquet = tmp_path / "flows.csv", tmp_path / "flows.parquet"
    table.write_csv(csv, separator=separator)
    table.write_parquet(parquet)
    left, right = read_flows(csv, labels="Label"), read_flows(parquet, labels="Label")
    assert left.columns == right.columns
    assert left.identity == right.identity
    assert (
        left.fingerprint() == right.fingerprint() == read_flows(table, labels="Label").fingerprint()
    )
    assert left.labels().tolist() == right.labels().tolist()


def test_several_files_are_one_source_in_order(table: pl.DataFrame, tmp_path: Path) -> None:
    table[:25].write_csv(tmp_path / "b.csv")
    table[25:].select(reversed(table.columns)).write_csv(tmp_path / "a.csv")
    named = FlowSource.of(labels="Label")
    flows = read_flows([tmp_path / "b.csv", tmp_path / "a.csv"], named)
    assert flows.collect()["bytes"].to_list() == list(range(40))
    by_glob = read_flows(str(tmp_path / "*.csv"), named)
    assert by_glob.collect()["bytes"].to_list() == [*range(25, 40), *range(25)]


def test_several_files_must_be_of_one_form(table: pl.DataFrame, tmp_path: Path) -> None:
    table.write_csv(tmp_path / "a.csv")
    table.rename({"dur": "duration"}).write_csv(tmp_path / "b.csv")
    with pytest.raises(InputError, match=r"b.csv: column 'dur' is not in both this and .*a.csv"):
        read_flows(str(tmp_path / "*.csv"), labels="Label")


def test_batches_hold_every_row_once_in_order(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label")
    batches = list(flows.batches(7))
    assert max(batch.height for batch in batches) <= 7
    assert pl.concat(batches).equals(flows.collect())


def test_the_fingerprint_tells_rows_and_order(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label")
    again = read_flows(table.with_columns(Label=pl.lit("?")), labels="Label")
    assert again.fingerprint() == flows.fingerprint(), "labels are no inputs"
    changed = table.with_columns(bytes=pl.when(pl.col("bytes") == 9).then(8).otherwise("bytes"))
    assert read_flows(changed, labels="Label").fingerprint() != flows.fingerprint()
    assert read_flows(table[::-1], labels="Label").fingerprint() != flows.fingerprint()


def test_flows_of_another_kind_are_refused(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label")
    flows.require("table", ("dur",), ("proto",))
    with pytest.raises(InputError, match="table: is table, but the model learnt from unsw_nb15"):
        flows.require("unsw_nb15", ("dur", "rate"), ())
    with pytest.raises(InputError, match="needs columns that are missing: rate, state"):
        flows.require("table", ("dur", "rate"), ("state",))
    with pytest.raises(InputError, match="column 'proto' holds String; the model learnt it as num"):
        flows.require("table", ("proto",), ())
    with pytest.raises(InputError, match="column 'dur' holds Float64; the model learnt it as cat"):
        flows.require("table", (), ("dur",))


def test_flows_are_read_as_they_are(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label")
    assert read_flows(flows) is flows


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), finite, st.sampled_from([math.nan, math.inf, -math.inf])),
            st.integers(-(2**53), 2**53),
            st.sampled_from(["tcp", "udp", "-", "a,b", 'quo"te', "ünï"]),
        ),
        min_size=12,
        max_size=40,
    )
)
def test_any_table_comes_back_from_csv_and_parquet(
    rows: list, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("round")
    schema = {"x": pl.Float64, "k": pl.Int64, "proto": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame.write_csv(folder / "t.csv")
    frame.write_parquet(folder / "t.parquet")
    named = FlowSource.of(categorical=("proto",))
    found = [read_flows(folder / name, named) for name in ("t.csv", "t.parquet")]
    for flows in found:
        assert flows.columns == ("x", "k", "proto")
        rows_found = flows.collect()
        assert rows_found["x"].cast(pl.Float64).equals(frame["x"])
        assert rows_found["k"].cast(pl.Int64).equals(frame["k"])
        assert rows_found["proto"].equals(frame["proto"])


def test_public_sets_have_their_roles(shared_data: Path) -> None:
    folder = shared_data / "nids"
    unsw = read_flows(folder / "unsw_nb15_82k_part*.parquet")
    assert (unsw.kind, len(unsw), len(unsw.numeric)) == ("unsw_nb15", 82_332, 39)
    assert unsw.categorical == ("proto", "service", "state")
    assert "is_sm_ips_ports" in unsw.numeric
    assert unsw.label == "attack_cat"
    assert len(unsw.benign()) == 37_000
    nsl = read_flows(folder / "nsl_kdd_train20.parquet")
    assert (nsl.kind, len(nsl), len(nsl.numeric)) == ("nsl_kdd", 25_192, 38)
    assert nsl.categorical == ("protocol_type", "service", "flag")
    assert len(nsl.benign()) == 13_449
    cic = read_flows(folder / "cicids2017_benign_days.parquet")
    assert (cic.kind, len(cic), len(cic.numeric)) == ("cicflowmeter", 6_860, 77)
    assert cic.identity == ("Destination Port",)
    assert cic.left_out == {"origin": "no input of cicflowmeter"}


def test_a_public_set_reads_the_same_from_csv(shared_data: Path, tmp_path: Path) -> None:
    parquet = shared_data / "nids" / "nsl_kdd_train20.parquet"
    pl.read_parquet(parquet).write_csv(tmp_path / "headerless.txt", include_header=False)
    flows: Flows = read_flows(tmp_path / "headerless.txt")
    assert flows.kind == "nsl_kdd"
    assert flows.fingerprint() == read_flows(parquet).fingerprint()


def test_a_parquet_file_may_name_its_kind(tmp_path: Path) -> None:
    metered = pl.DataFrame({name: [1.0, 2.0] for name in STATISTICS})
    metered.write_parquet(tmp_path / "plain.parquet")
    metered.write_parquet(tmp_path / "std.parquet", metadata={KIND_KEY: "meter/std"})
    plain, std = read_flows(tmp_path / "plain.parquet"), read_flows(tmp_path / "std.parquet")
    assert (plain.kind, std.kind) == ("lycos2017", "meter/std")
    assert read_flows(tmp_path / "plain.parquet", kind="meter/lycos").kind == "meter/lycos"
    plain.require("meter/lycos", STATISTICS, ())
    with pytest.raises(InputError, match="is meter/std, but the model learnt from lycos2017"):
        std.require("lycos2017", STATISTICS, ())


def test_a_filter_that_empties_everything_leaves_no_batch(table: pl.DataFrame) -> None:
    flows = read_flows(table, labels="Label").filter(pl.col("bytes") > 99)
    assert (len(flows), list(flows.batches())) == (0, [])


PEAK = """
import re, sys
from pathlib import Path
from contraview.modalities.flows.data import read_flows
flows = read_flows(sys.argv[1])
rows = sum(batch.height for batch in flows.batches())
print(rows, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for rows in (600_000, 6_000_000):
        n = np.arange(rows)
        table = pl.DataFrame({"a": n / 8, "b": n % 977, "c": n % 13, "p": pl.Series(n % 5) + 0.5})
        table.write_csv(tmp_path / "t.csv")
        command = [sys.executable, "-c", PEAK, str(tmp_path / "t.csv")]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        found, peak = map(int, run.stdout.split())
        assert found == rows
        peaks.append(peak)
    assert peaks[1] < 1.3 * peaks[0], peaks


def test_parts_and_benign_flags(table: pl.DataFrame) -> None:
    flows = read_flows(table, benign="Label == ok")
    assert flows.is_benign().tolist() == [True, True, True, False] * 10
    parts = list(flows.parts(15))
    assert [len(part) for part in parts] == [15, 15, 10]
    assert pl.concat([part.collect() for part in parts]).equals(flows.collect())
    with pytest.raises(InputError, match="which rows are benign is not known"):
        read_flows(table, labels="Label").is_benign()
