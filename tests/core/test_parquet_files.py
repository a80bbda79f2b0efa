from pathlib import Path

import polars as pl
import pytest

from contraview.core.errors import InputError
from contraview.core.parquet_files import read_parquet

FOUND = Path(__file__).parents[1] / "fuzz/found/parquet"


def test_a_table_is_read_from_a_file_and_from_bytes(tmp_path):
    table = pl.DataFrame({"a": [1, None], "b": ["x", "y"]}, schema_overrides={"b": pl.Categorical})
    table.write_parquet(tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet", "x").equals(table)
    assert read_parquet((tmp_path / "x.parquet").read_bytes(), "x").equals(table)


@pytest.mark.parametrize("name", ["4e06afb5aa8b", "6c27ef9801d8"])
def test_pages_for_which_polars_asks_for_exabytes_are_refused(name):
    with pytest.raises(InputError, match="negative number of values"):
        read_parquet(FOUND / name, "x")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 3, b"\0" * 100])
def test_what_is_no_parquet_is_refused(content, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_parquet(content, "x")
    with pytest.raises(InputError, match="no such file"):
        read_parquet(tmp_path / "none.parquet", "x")
