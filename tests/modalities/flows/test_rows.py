import pickle

import polars as pl
import pytest

from contraview.modalities.flows.data import read_flows
from contraview.modalities.flows.rows import Rows

ROWS = 1_000


def numbered(first=0, rows=ROWS):
    return pl.DataFrame({"n": range(first, first + rows), "half": pl.arange(rows, eager=True) / 2})


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for number, path in enumerate(paths):
        numbered(number * ROWS).write_parquet(path, row_group_size=300)
    return paths


def test_slices_and_pieces_keep_the_order_over_files_and_filters(files):
    rows = Rows.of([pl.scan_parquet(path) for path in files])
    odd = rows.then(lambda part: part.filter(pl.col("n") % 2 == 1))
    cut = pl.concat(odd.slices(128))
    assert cut["n"].to_list() == list(range(1, 2 * ROWS, 2))
    pieces = list(odd.pieces(128))
    assert len(pieces) == 2 * 8
    assert pl.concat(piece.frame.collect() for piece in pieces).equals(cut)


def test_how_many_rows_are_left_is_known_until_a_filter(files):
    rows = Rows.of([pl.scan_parquet(path) for path in files])
    assert rows.left == 2 * ROWS
    assert rows.then(lambda part: part.filter(pl.col("n") < 5)).left is None
    assert rows.then(lambda part: part.select("n"), left=rows.left).left == 2 * ROWS


def test_rows_of_parquet_files_can_be_read_by_another_process_those_of_text_not(files, tmp_path):
    rows = Rows.of([pl.scan_parquet(path) for path in files])
    assert rows.lie_in_files()
    piece = list(rows.pieces(128))[-1]
    again = pickle.loads(pickle.dumps(piece))
    assert again.frame.collect().equals(piece.frame.collect())
    numbered().write_csv(tmp_path / "a.csv")
    assert not read_flows(tmp_path / "a.csv").rows.lie_in_files()


def test_the_length_of_flows_is_known_without_a_pass_and_true(tmp_path):
    table = numbered().with_columns(half=pl.col("half").cast(pl.String))
    path = tmp_path / "a.csv"
    table.write_csv(path)
    lines = path.read_text().splitlines()
    lines[10] = "17,word"
    lines[20] = "17,18,19"
    path.write_text("\n".join(lines) + "\n")
    flows = read_flows(path)
    assert len(flows) == flows.rows.left == ROWS - 2 == flows.collect().height
    assert flows.intake.corrupt == 2
    few = flows.filter(pl.col("n") < 5)
    assert few.rows.left is None
    assert len(few) == 5
