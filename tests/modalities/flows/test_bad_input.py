"""Wrong sources: one line that says what, where and what was expected; never a crash."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.flows.data import Flows, read_flows


def refusal(source: Any, **knobs: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_flows(source, **knobs)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def table() -> pl.DataFrame:
    n = 100
    return pl.DataFrame({"dur": [i / 2 for i in range(n)], "n": list(range(n)), "p": ["a"] * n})


def test_nothing_there(tmp_path: Path) -> None:
    missing = tmp_path / "flows.csv"
    assert refusal(missing) == f"{missing}: no such file"
    assert refusal(tmp_path / "*.csv") == f"{tmp_path}/*.csv: no file of this form"
    assert refusal(tmp_path).endswith("is a folder; expected a file or a glob such as "
                                      f"'{tmp_path}/*.csv'")  # fmt: skip
    assert refusal(3) == "int: no source of flows; expected a path, a glob, a DataFrame"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == f"{tmp_path}/pipe: is no regular file; expected one"


def test_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert refusal(path) == f"{path}: is empty; expected flow records"
    path.write_bytes(gzip.compress(b""))
    assert refusal(path) == f"{path}: is empty; expected flow records"
    path.write_bytes(b"\n \n")
    assert refusal(path) == f"{path}: is empty; expected flow records"
    path.write_bytes(b"a,b\n")
    assert refusal(path) == f"{path}: has no rows; expected flow records, one a line"
    pl.DataFrame({"a": []}).write_parquet(path)
    assert refusal(path) == f"{path}: has no rows; expected flow records"


def test_parquet_cut_short_or_damaged(tmp_path: Path, table: pl.DataFrame) -> None:
    path = tmp_path / "a.parquet"
    table.write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert refusal(path) == (f"{path}: is cut short: a Parquet file ends with PAR1; copy it again")
    path.write_bytes(whole[:4] + b"PAR1")
    assert refusal(path).startswith(f"{path}: cannot be read: ")
    path.write_bytes(whole[:-40] + b"\xff" * 30 + whole[-10:])
    assert refusal(path).startswith(f"{path}: cannot be read: ")


def test_damaged_pages_show_when_they_are_read(tmp_path: Path, table: pl.DataFrame) -> None:
    path = tmp_path / "a.parquet"
    table.write_parquet(path, compression="zstd")
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    with pytest.raises(InputError, match="cannot be read"):
        read_flows(path).collect()


def test_a_text_in_a_number_is_counted_located_and_kept_out(
    tmp_path: Path, table: pl.DataFrame
) -> None:
    path = tmp_path / "a.csv"
    lines = table.write_csv().splitlines()
    lines[17] = "abc,16,a"
    lines[30] = "1.5,oops,a"
    path.write_text("\n".join(lines))
    flows = read_flows(path)
    assert flows.intake.corrupt == 2
    assert flows.intake.first == f"{path}: line 18, column 'dur': 'abc' is no number"
    assert len(flows) == flows.intake.rows == 98
    assert 16 not in flows.collect()["n"].to_list()
    frame = pl.read_csv(path, infer_schema=False)
    assert read_flows(frame).intake.first == "table: row 17, column 'dur': 'abc' is no number"


def test_too_many_corrupt_rows_are_an_error(tmp_path: Path, table: pl.DataFrame) -> None:
    path = tmp_path / "a.csv"
    lines = table.write_csv().splitlines()
    lines[3:9] = ["1,2"] * 6
    path.write_text("\n".join(lines))
    assert refusal(path) == (
        f"{path}: line 4: 2 fields; expected 3; 6 of 100 rows are corrupt; expected at most 5%"
    )


def test_a_column_half_text_is_not_guessed(tmp_path: Path, table: pl.DataFrame) -> None:
    mixed = table.with_columns(dur=pl.when(pl.col("n") < 30).then(pl.lit("x")).otherwise("n"))
    assert refusal(mixed).startswith("table: column 'dur': 30 of 100 values are no numbers;")
    assert read_flows(mixed, drop=("dur",)).numeric == ("n",)
    assert read_flows(mixed, categorical=("dur",)).categorical == ("dur", "p")


def test_lines_with_other_fields_and_blank_lines(tmp_path: Path, table: pl.DataFrame) -> None:
    path = tmp_path / "a.csv"
    lines = table.write_csv().splitlines()
    lines[5] = ""
    lines[6] = "1,2,a,4"
    lines[7] = '"open,2,a'
    lines[-1] = "49.5"
    path.write_text("\r\n".join(lines))
    flows = read_flows(path)
    assert flows.intake.corrupt == 3, "a blank line is no row"
    assert flows.intake.first in (
        f"{path}: line 7: 4 fields; expected 3",
        f"{path}: line 8: a quote that is not closed",
    )
    assert flows.collect()["n"].to_list() == [*range(4), *range(7, 99)]


def test_a_wrong_column_of_a_known_set(tmp_path: Path, shared_data: Path) -> None:
    table = pl.read_parquet(shared_data / "nids" / "unsw_nb15_82k_part0.parquet").head(300)
    table.rename({"dur": "duration"}).write_csv(tmp_path / "a.csv")
    assert refusal(tmp_path / "a.csv") == (
        f"{tmp_path}/a.csv: no column 'dur'; expected the columns of unsw_nb15, or another kind "
        "named"
    )
    table.write_csv(tmp_path / "b.csv")
    shuffled = table.select(reversed(table.columns))
    assert read_flows(shuffled).fingerprint() == read_flows(tmp_path / "b.csv").fingerprint()


def test_files_of_two_kinds(tmp_path: Path, table: pl.DataFrame, shared_data: Path) -> None:
    table.write_csv(tmp_path / "a.csv")
    nsl = shared_data / "nids" / "nsl_kdd_train20.parquet"
    assert refusal([tmp_path / "a.csv", nsl]) == (
        f"{nsl}: is nsl_kdd, but {tmp_path}/a.csv is table; expected one kind of flow record"
    )


def test_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2,tcp\n3,4,udp\n")
    assert refusal(path) == f"{path}: line 1 holds values ('1,2,tcp'); expected column names"


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"PK\x03\x04rest")
    assert refusal(path) == f"{path}: is a zip archive; unpack it first"
    path.write_bytes(b"\x7fELF\0\0\0")
    assert refusal(path).startswith(f"{path}: is no text; expected a capture, a log, CSV or")
    path.write_text("a,b\n1,2\n", encoding="utf-16")
    assert refusal(path) == f"{path}: is UTF-16 text; expected UTF-8"


def test_single_bytes_of_an_old_encoding_are_read(tmp_path: Path) -> None:
    rows = b"Web Attack \x96 XSS,1\n" * 20
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfkind,x\n" + rows)
    flows = read_flows(tmp_path / "a.csv")
    assert flows.columns == ("x", "kind")
    assert flows.collect()["kind"][0] == "Web Attack � XSS"


def test_gzip_cut_short_gives_the_whole_lines(tmp_path: Path) -> None:
    lines = [f"{i},{(i * 7919) % 10007}" for i in range(20_000)]
    packed = gzip.compress("\n".join(["a,b", *lines]).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    flows = read_flows(path)
    assert flows.intake.notes == (f"{path}: the compressed data ends early; read up to there",)
    found = flows.collect()
    assert 1_000 < found.height < 20_000
    assert found["b"].to_list() == [float(i * 7919 % 10007) for i in range(found.height)]


def test_logs_cut_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    row = {"uid": "C", "id.orig_h": "a", "conn_state": "SF", "proto": "tcp", "duration": 1.0}
    line = json.dumps(row | {"orig_bytes": 1, "resp_bytes": 1, "orig_pkts": 1, "resp_pkts": 1})
    path.write_text("\n".join([line] * 99 + [line[:40]]))
    flows = read_flows(path)
    assert (len(flows), flows.intake.corrupt) == (99, 1)
    assert flows.intake.first == f"{path}: line 100: no JSON object"
    path.write_text(f"[{line}]")
    assert "one object a line" in refusal(path)
    path.write_text("{\n" + line[1:])
    assert "one object a line" in refusal(path)
    path.write_text("#separator \\x09\n#path\tconn\n")
    assert "no #fields line" in refusal(path)


def test_a_pcap_cut_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(bytes.fromhex("d4c3b2a10200"))
    assert "header" in refusal(path)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert refusal(path) == f"{path}: cannot be read (Permission denied)"


def read_or_refuse(path: Path) -> Flows | None:
    try:
        return read_flows(path)
    except InputError as error:
        message = str(error)
    assert len(message.splitlines()) == 1, message
    return None


STARTS = [
    b"",
    b"PAR1",
    b"{",
    b'{"a":1}\n',
    b"#fields\ta\tb\n",
    b"a,b\n",
    b"\x1f\x8b",
    b"\x1f\x8b\x08\0",
]


@settings(max_examples=150)
@given(
    start=st.sampled_from(STARTS), rest=st.binary(max_size=200), end=st.sampled_from([b"", b"PAR1"])
)
def test_any_bytes_are_read_or_refused(
    start: bytes, rest: bytes, end: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "any"
    path.write_bytes(start + rest + end)
    flows = read_or_refuse(path)
    if flows is not None:
        assert len(flows) == flows.collect().height == sum(b.height for b in flows.batches())


@settings(max_examples=60)
@given(
    text=st.text(st.sampled_from('ab1,.\n\r"- {}:[]\t;#'), max_size=120), rows=st.integers(0, 30)
)
def test_any_text_table_is_read_or_refused(text: str, rows: int, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("x,y\n" + "1,2\n" * rows + text + "\n")
    flows = read_or_refuse(path)
    if flows is not None:
        assert len(flows) == flows.intake.rows == flows.collect().height
