import resource
import stat

import polars as pl
import pyarrow.parquet as pq
import pytest

from contraview.apps.batch.tables import FORMATS, need_table_name, write
from contraview.core.errors import ContraviewError, InputError

READ = {".csv": pl.read_csv, ".parquet": pl.read_parquet}


def parts(rows=10, count=3):
    for number in range(count):
        first = number * rows
        yield pl.DataFrame({"row": range(first, first + rows), "name": f"part {number}"})


@pytest.mark.parametrize("suffix", FORMATS)
def test_tables_stand_one_under_the_other_in_order(tmp_path, suffix, capsys):
    out = tmp_path / f"all{suffix}"
    write(parts(), out)
    read = READ.get(suffix, pl.read_ndjson)(out)
    assert read.equals(pl.concat(parts()))
    assert capsys.readouterr().out == f"{out}\n"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_categories_may_differ_from_part_to_part(tmp_path):
    out = tmp_path / "all.parquet"
    types = {"known": pl.Enum(["a", "b", "c"]), "found": pl.Categorical, "none": pl.Int64}
    tables = [
        pl.DataFrame({"known": [each], "found": [each], "none": [None]}, schema=types)
        for each in "abc"
    ]
    write(iter(tables), out)
    read = pl.read_parquet(out)
    assert read["found"].cast(pl.String).to_list() == ["a", "b", "c"]
    assert read["known"].cast(pl.String).to_list() == ["a", "b", "c"]
    assert read["none"].null_count() == 3
    assert pq.ParquetFile(out).num_row_groups == 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_goes_wrong_in_a_part_leaves_nothing_and_the_old_file_as_it_was(tmp_path, suffix):
    out = tmp_path / f"all{suffix}"
    out.write_text("the old one")

    def wrong():
        yield from parts()
        raise InputError("part 4 is damaged")

    with pytest.raises(InputError, match="part 4"):
        write(wrong(), out)
    assert out.read_text() == "the old one"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_nothing_and_says_so_in_one_line(tmp_path, suffix):
    out = tmp_path / f"all{suffix}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ContraviewError, match="cannot be written") as failed:
            write(parts(rows=5_000), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed.value.exit_code == 1
    assert str(failed.value).startswith(f"{out}: ")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_writer(tmp_path):
    def gone():
        yield from parts()
        raise OSError(5, "the disk that is read from")

    with pytest.raises(OSError, match="read from"):
        write(gone(), tmp_path / "all.csv")


def test_no_table_at_all_is_no_file(tmp_path):
    with pytest.raises(ContraviewError, match="nothing to write"):
        write([], tmp_path / "all.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path):
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "folder.csv").mkdir()
    for out, what in {
        tmp_path / "absent" / "all.csv": "No such file or directory",
        file / "all.csv": "Not a directory",
        tmp_path / "folder.csv": "is a folder",
        tmp_path / "all.docx": "ends in",
    }.items():
        with pytest.raises(InputError, match=what):
            need_table_name(out)
    need_table_name(tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()


def test_a_folder_without_the_right_to_write_is_refused_at_once(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        (tmp_path / "probe").touch()
    except PermissionError:
        with pytest.raises(InputError, match="Permission denied"):
            need_table_name(tmp_path / "all.csv")
    else:
        pytest.skip("who runs the tests may write anywhere")
    finally:
        tmp_path.chmod(stat.S_IRWXU)
