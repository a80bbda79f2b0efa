import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.evaluation.few_label import (
    accuracy,
    episode_accuracy,
    episodes,
    few_labels,
    macro_f1,
)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 9))
def test_each_class_gives_what_is_asked_or_all_it_has(letters, per_class):
    labels = np.array(letters)
    chosen = few_labels(labels, per_class, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == len(chosen)
    for letter in set(letters):
        expected = min(per_class, letters.count(letter))
        assert (labels[chosen] == letter).sum() == expected


def test_the_draw_is_even_and_follows_the_generator():
    labels = np.repeat([0, 1], [10, 90])
    draws = [few_labels(labels, 5, np.random.default_rng(seed)) for seed in range(600)]
    often = np.bincount(np.concatenate(draws), minlength=100)
    assert often[:10] == pytest.approx(np.full(10, 300), abs=60)  # sd 12
    assert often[10:] == pytest.approx(np.full(90, 33), abs=28)  # sd 5.6
    assert (few_labels(labels, 5, np.random.default_rng(3)) == draws[3]).all()


def test_macro_f1_by_hand():
    truth = np.array(["a", "a", "a", "b"])
    predicted = np.array(["a", "a", "b", "c"])
    # a: precision 1, recall 2/3, F1 .8; b: nothing right, 0; c is no true class.
    assert macro_f1(truth, predicted) == pytest.approx(0.4)
    assert accuracy(truth, predicted) == 0.5


def test_nothing_to_draw_or_to_judge_is_refused():
    with pytest.raises(InputError, match="0 labels a class"):
        few_labels(np.array([1]), 0, np.random.default_rng(0))
    with pytest.raises(InputError, match="no rows"):
        accuracy(np.ones(0), np.ones(0))


def test_an_episode_has_the_classes_and_shots_asked_for_and_names_all_that_is_left():
    support = np.repeat(["a", "b", "c", "few", "unasked"], [9, 6, 5, 4, 9])
    queries = np.repeat(["a", "b", "c", "few"], [2, 3, 4, 5])
    for learn, asked in episodes(support, queries, ways=2, shots=5, count=20, seed=0):
        names, sizes = np.unique(support[learn], return_counts=True)
        assert len(names) == 2
        assert set(names) <= {"a", "b", "c"}
        assert (sizes == 5).all()
        assert len(set(learn.tolist())) == 10
        assert (np.flatnonzero(np.isin(queries, names)) == asked).all()
    with pytest.raises(InputError, match="4 classes an episode; expected 2 to 3"):
        list(episodes(support, queries, ways=4, shots=5, count=1, seed=0))


def test_episodes_that_are_easy_are_named_and_those_without_a_hint_are_not():
    generator = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c", "d"], 12)
    noise = generator.normal(size=(48, 4))
    hint = noise + 9 * (labels[:, None] == np.unique(labels))
    for vectors, low, high in ((hint, 0.95, 1.0), (noise, 0.2, 0.6)):
        found = episode_accuracy(
            vectors, labels, vectors[::-1], labels[::-1], ways=3, shots=2, count=10, seed=0
        )
        assert low <= found <= high
