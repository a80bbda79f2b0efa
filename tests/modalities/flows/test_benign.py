"""The small language for benign rows."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.flows.benign import Condition

TABLE = pl.DataFrame(
    {
        "attack_cat": ["Normal", "DoS", "Web Attack", None, " Normal "],
        "label": [0, 1, 1, 0, 0],
        "text": ["0", "1", "1.0", "x", "0.0"],
        "flag": [True, False, True, None, False],
        "day name": ["Mon", "Tue", "Mon", "Mon", "and"],
    }
)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("attack_cat == Normal", [0, 4]),
        ("attack_cat==Normal", [0, 4]),
        ("attack_cat != Normal", [1, 2, 3]),
        ("attack_cat == Web Attack", [2]),
        ("attack_cat == 'Web Attack'", [2]),
        ('attack_cat in ["Web Attack", DoS]', [1, 2]),
        ("label in [0]", [0, 3, 4]),
        ("label == 0.0", [0, 3, 4]),
        ("text == 0", [0, 4]),
        ("text in [1]", [1, 2]),
        ("flag == True", [0, 2]),
        ("label == 0 and attack_cat == Normal", [0, 4]),
        ("day name == Mon and label == 1", [2]),
        ("'day name' == 'and'", [4]),
    ],
)
def test_rows_that_a_condition_keeps(condition: str, kept: list[int]) -> None:
    expression = Condition.read(condition).expression(TABLE.schema)
    assert TABLE.with_row_index().filter(expression)["index"].to_list() == kept


@pytest.mark.parametrize(
    "condition",
    [
        *("", "attack_cat", "attack_cat = Normal", "label <= 3", "label in []", "label in 0"),
        *("label == 0 or label == 1", "label == 0 and", "__import__('os').system('x')"),
        *("label == 0; x == 1, y", "label == [0]"),
    ],
)
def test_anything_else_is_refused(condition: str) -> None:
    with pytest.raises(InputError, match="expected COLUMN == VALUE"):
        Condition.read(condition)


def test_a_column_that_is_not_there_or_holds_numbers() -> None:
    with pytest.raises(InputError, match="no column 'lable'; there are attack_cat"):
        Condition.read("lable == 0").expression(TABLE.schema)
    with pytest.raises(InputError, match="'label' holds numbers; expected numbers to compare"):
        Condition.read("label == Normal").expression(TABLE.schema)


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        Condition.read(text).expression({})
    except InputError as error:
        lines = str(error).splitlines()
    else:
        return
    assert len(lines) == 1
