"""Drawings hold numbers alone, and words are words."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from contraview.core.shown import curves, drawing, words


def paths(shown):
    assert shown.kind == "image/svg+xml"
    root = ElementTree.fromstring(shown.content)
    return [each.attrib for each in root]


def test_a_curve_goes_from_its_least_to_its_largest_value():
    (line,) = paths(curves([np.array([0.0, 1.0, 0.5])], width=108, height=108))
    assert line["d"] == "M4.0 104.0L54.0 4.0L104.0 54.0"


def test_what_is_missing_is_a_gap():
    (line,) = paths(curves([np.array([0.0, np.nan, 1.0, 0.0])]))
    assert line["d"].count("M") == 2
    assert "nan" not in line["d"]
    assert paths(curves([np.full(3, np.nan)])) == []


def test_a_peak_of_a_long_curve_is_kept():
    values = np.zeros(100_000)
    values[70_123] = 1.0
    (line,) = paths(curves([values], width=100, height=100))
    assert line["d"].count("L") < 400
    assert " 4.0" in line["d"], "the top"


def test_curves_stand_one_above_the_other_and_a_step_is_marked():
    mark, first, second = paths(curves([np.arange(3.0), np.arange(3.0)], height=100, mark=1))
    assert "V100" in mark["d"]
    tops = [float(line["d"].split("L")[-1].split()[1]) for line in (first, second)]
    assert tops == [4.0, 54.0]


def test_words_are_cut_and_what_cannot_be_seen_is_shown():
    shown = words("a\x1b[2J\u202eb\nc")
    assert shown.kind == "text/plain"
    assert shown.content.decode() == "a\\x1b[2J\\u202eb\nc"
    assert words("x" * 5_000).content.decode().endswith("\n... (5,000 characters)")
    assert drawing([], 1, 1).content.startswith(b"<svg ")
