import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.core.items import Items
from contraview.modalities.text.data import Texts, read_texts

LINES = ["A plane is taking off.", "Zwölf Boxkämpfer", "日本語"]


@pytest.fixture
def table():
    return pl.DataFrame({"id": [1, 2, 3], "title": LINES, "kind": ["a", "b", "a"]})


def test_lines_plain_and_gzipped_in_order_without_blank_ones(tmp_path):
    text = "\ufeff" + "\r\n".join([LINES[0], "", "  ", *LINES[1:], ""])
    (tmp_path / "lines.txt").write_bytes(text.encode())
    (tmp_path / "lines.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("lines.txt", "lines.txt.gz"):
        assert read_texts(tmp_path / name).strings == LINES
    both = read_texts((str(tmp_path / "lines.txt"), str(tmp_path / "lines.txt.gz")))
    assert both.strings == LINES * 2
    assert read_texts(str(tmp_path / "*.txt")).strings == LINES


def test_tables_of_every_kind_keep_their_columns(tmp_path, table):
    table.write_csv(tmp_path / "t.csv")
    table.write_csv(tmp_path / "t.tsv", separator="\t")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    table.write_parquet(tmp_path / "t.parquet")
    for source in (*sorted(tmp_path.iterdir()), table, table.to_pandas()):
        texts = read_texts(source, column="title", labels="kind")
        assert texts.strings == LINES
        assert texts.labels().tolist() == ["a", "b", "a"]
        assert texts.collect().columns == ["id", "title", "kind"]
    assert read_texts(table, labels="kind").column == "title"  # the only text that is left


def test_a_list_an_array_and_a_series_are_the_texts_themselves():
    for source in (LINES, np.array(LINES), pl.Series(LINES), pd.Series(LINES)):
        assert read_texts(source).strings == LINES


def test_pairs_have_a_second_text_and_a_number():
    table = pl.DataFrame({"a": ["x", "y"], "b": ["z", "w"], "s": [1, 2]})
    texts = read_texts(table, column="a", other="b", labels="s")
    assert texts.others().strings == ["z", "w"]
    assert texts.labels().dtype == np.float64
    assert read_texts(LINES).others() is None


def test_items_behave_as_the_command_expects(table):
    texts = read_texts(table, column="title", labels="kind")
    assert isinstance(texts, Items)
    assert texts.take([2, 0]).strings == [LINES[2], LINES[0]]
    assert [len(part) for part in read_texts([str(i) for i in range(5000)]).parts()] == [4096, 904]
    assert read_texts(texts) is texts
    assert read_texts(LINES + LINES).distinct() == LINES
    with pytest.raises(InputError, match="has no labels"):
        read_texts(LINES).labels()


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_the_fingerprint_tells_where_one_string_ends(strings):
    def fingerprint(strings):
        return Texts("x", pl.DataFrame({"text": strings}), "text").fingerprint()

    joined = ["".join(strings)]
    assert fingerprint(strings) == fingerprint(list(strings))
    assert (fingerprint(strings) == fingerprint(joined)) == (strings == joined)


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1), min_size=1))
def test_what_is_written_a_line_is_read_back(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "some.txt"
    path.write_bytes("\n".join(lines).encode())
    assert read_texts(path).strings == lines


def wrong(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"good\nb\xff\xfed\n", r"a\.txt: line 2 is not UTF-8"),
        ("a.txt", b"good\nfine\nze\0ro\n", r"a\.txt: line 3 holds a zero byte"),
        ("a.txt", b"\n \n", r"a\.txt: holds no text"),
        ("a.csv", b"", r"a\.csv: is empty"),
        ("a.csv", b"t,u\na,b\n", r"a\.csv: which column holds the text is not known \(text col"),
        ("a.csv", b"t\n1\n2\n", r"which column holds the text is not known \(text columns: none\)"),
        ("a.csv", b"t,n\na,1\n,2\n", r"a\.csv: column 't', row 2 is empty; expected text"),
        ("a.csv", b"a,b\nx,y\nx,y,z\n", r"a\.csv: is no table"),
        ("a.parquet", b"PAR1 and no more", r"a\.parquet: cannot be read"),
        ("a.txt.gz", b"\x1f\x8b\x08 broken", r"a\.txt\.gz: cannot be read"),
    ],
)
def test_wrong_files_are_refused_with_file_and_place(tmp_path, name, content, says):
    with pytest.raises(InputError, match=says) as error:
        read_texts(wrong(tmp_path, name, content))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "knobs", "says"),
    [
        ("no/such.txt", {}, "no/such.txt: no such file"),
        ("no/such*.txt", {}, "no file of this form"),
        ("", {}, "no file named"),
        (Path("/"), {}, "is a folder"),
        ([], {}, "holds no text"),
        ((), {}, "no source of text"),
        (3.5, {}, "float: no source of text"),
        (["fine", 3], {}, "item 1: is int; expected a string"),
        (["fine", "  "], {}, "column 'text', row 2 is empty"),
        (pl.DataFrame({"n": [1]}), {"column": "n"}, "column 'n' holds Int64; expected text"),
        (pl.DataFrame({"t": ["a"]}), {"column": "u"}, "no column 'u'; there are t"),
        (pl.DataFrame({"t": ["a"]}), {"labels": "u"}, "no column 'u'"),
    ],
)
def test_wrong_sources_are_refused(source, knobs, says):
    with pytest.raises(InputError, match=says):
        read_texts(source, **knobs)


def test_files_of_other_columns_do_not_mix(tmp_path):
    first, second = wrong(tmp_path, "a.csv", b"t\nx\n"), wrong(tmp_path, "b.csv", b"u\ny\n")
    with pytest.raises(InputError, match=r"b\.csv: has columns u .*a\.csv has t"):
        read_texts([first, second])


def test_an_empty_label_is_refused_where_it_is():
    table = pl.DataFrame({"t": ["a", "b"], "s": [1.0, None]})
    with pytest.raises(InputError, match="column 's', row 2 is empty"):
        read_texts(table, labels="s").labels()
