import subprocess
import sys

import pytest

from contraview.core.errors import InputError
from contraview.modalities.text.tokens import FIRST, MASK, SPECIAL, Pieces

LINES = ["The cat sat on the mat.", "A cat, a hat; the café!", "Unbelievable cats sit on mats"] * 3


@pytest.fixture(scope="module")
def pieces():
    return Pieces.learn(LINES, 60)


def spelt(pieces, string, length=32):
    return [pieces.vocabulary[i] for i in pieces.encode([string], length)[0].tolist()]


def test_rows_begin_and_end_and_are_filled_up(pieces):
    rows = pieces.encode(["the cat", "the cat sat on the mat"], 32)
    assert rows.shape[1] < 32
    assert rows[:, 0].tolist() == [2, 2]
    assert rows[0].tolist().index(3) < rows.shape[1] - 1
    assert rows[0, -1] == 0
    assert pieces.encode(["the"], 32, fill=True).shape == (1, 32)


def test_case_and_accents_do_not_matter_and_marks_stand_apart(pieces):
    assert spelt(pieces, "CAFÉ") == spelt(pieces, "cafe")
    assert spelt(pieces, "cat,") == [*spelt(pieces, "cat")[:-1], ",", "[SEP]"]


def test_longer_strings_are_cut_and_keep_their_end_sign(pieces):
    row = spelt(pieces, " ".join(["cat"] * 50), 8)
    assert len(row) == 8
    assert row[-1] == "[SEP]"


def test_the_mask_within_a_string_is_one_token_and_the_unspellable_is_unknown(pieces):
    assert pieces.encode(["the [MASK] sat"], 32)[0].tolist().count(MASK) == 1
    assert "[UNK]" in spelt(pieces, "the Ж")


def test_it_is_whole_as_a_table(pieces):
    again = Pieces(pieces.table()["piece"].to_list())
    assert again.encode(LINES, 32).equal(pieces.encode(LINES, 32))
    assert pieces.vocabulary[:FIRST] == SPECIAL
    assert FIRST < len(pieces) <= 60


def test_the_same_lines_give_the_same_vocabulary_in_another_process(pieces):
    code = (
        "from contraview.modalities.text.tokens import Pieces; "
        f"print(Pieces.learn({LINES!r}, 60).vocabulary == {pieces.vocabulary!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_damaged_vocabulary_is_refused():
    with pytest.raises(InputError, match="expected"):
        Pieces(["a", "b"])
    with pytest.raises(InputError, match="no piece twice"):
        Pieces([*SPECIAL, "a", "a"])
