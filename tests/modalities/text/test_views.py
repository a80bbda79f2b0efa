import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.seeds import torch_generator
from contraview.modalities.text.views import span_mask

letters = st.text(alphabet="abc xyz", min_size=1, max_size=80)


def masked(strings, seed=0, **knobs):
    knobs = {"span": 5, "least": 30, "mask": "[MASK]"} | knobs
    return span_mask(strings, torch_generator(seed, "spans"), **knobs)


@given(st.lists(letters, max_size=5), st.integers(0, 99))
def test_one_run_of_five_characters_goes_and_strings_under_thirty_stay(strings, seed):
    for before, after in zip(strings, masked(strings, seed), strict=True):
        if len(before) < 30:
            assert after == before
            continue
        head, tail = after.split(" [MASK] ")
        assert before.startswith(head)
        assert before.endswith(tail)
        assert len(head) + 5 + len(tail) == len(before)


def test_thirty_characters_are_enough_and_the_first_and_the_last_run_are_drawn():
    string = "abcdefghijklmnopqrstuvwxyz0123"
    assert len(string) == 30
    drawn = {masked([string], seed)[0] for seed in range(400)}
    assert len(drawn) == 26
    assert any(each.startswith(" [MASK] f") for each in drawn)
    assert any(each.endswith("y [MASK] ") for each in drawn)


def test_where_a_run_reads_alike_twice_the_one_that_was_drawn_goes():
    string = "ab" * 20
    assert len({masked([string], seed)[0] for seed in range(400)}) > 30


@pytest.mark.parametrize("knobs", [{"span": 0}, {"least": 41}])
def test_it_can_be_off(knobs):
    assert masked(["a" * 40], **knobs) == ["a" * 40]


def test_same_generator_same_runs():
    strings = ["x" * 20 + "y" * 20] * 8
    assert masked(strings, 3) == masked(strings, 3)
    assert len(set(masked(strings, 3))) > 1
