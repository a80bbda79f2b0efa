import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.plain_text import LONGEST, csv_cell, json_line, plain

HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "c1": "\x9b31m",
    "line": "a\r\nb\x0bc\x85d\u2028e",
    "backward": "user\u202egpj.exe\u2066x\u2069",
    "invisible": "a\u200bb\ufeffc\u00adc",
    "null": "a\0b",
    "surrogate": "\ud800",
    "tag": "<script>alert(1)</script>",
    "attribute": "\" onmouseover='x()'&lt;",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_visible_and_on_one_line(text):
    shown = plain(text)
    assert shown.isprintable()
    line = json_line({"v": [text, {text: text}]})
    assert line.isascii()
    assert not re.search(r"[\x00-\x1f\x7f<>&]", line)
    assert json.loads(line)["v"][0] == shown
    (row,) = csv.reader(io.StringIO(csv_cell(text)))
    assert row


def test_escapes_say_what_was_there():
    assert plain("\x1b[31m") == r"\x1b[31m"
    assert plain("a\u202eb") == r"a\u202eb"
    assert plain("Zürich 東京 ok") == "Zürich 東京 ok"


def test_a_huge_text_is_cut_and_its_length_said():
    shown = plain("a" * 1_000_000)
    assert shown == "a" * LONGEST + "... (1,000,000 characters)"
    assert len(json_line({"v": "\0" * 1_000_000})) < 2 * LONGEST
    assert plain("b" * (LONGEST + 1)) == "b" * (LONGEST + 1), "no cut that would save nothing"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "=\t1"])
def test_no_cell_is_a_formula(text):
    assert csv_cell(text).startswith("'")


def test_what_is_no_formula_stays():
    assert [csv_cell(text) for text in ("-", "tcp", "10.0.0.1", "1-2", "")] == [
        "-", "tcp", "10.0.0.1", "1-2", "",
    ]  # fmt: skip


def test_json_knows_no_infinity():
    assert json.loads(json_line({"a": float("inf"), "b": float("nan"), "c": 1.5, "d": True})) == {
        "a": None, "b": None, "c": 1.5, "d": True,
    }  # fmt: skip


@given(st.text())
def test_any_text_at_all(text):
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
    assert plain(plain(text * 50, 20), 20) == plain(text * 50, 20)
    assert json.loads(json_line({"v": text}))["v"] == plain(text)
    assert not csv_cell(text).startswith(("=", "+", "@"))
