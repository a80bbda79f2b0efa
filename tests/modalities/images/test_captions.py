import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.core.items import Items
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.images.caption_nets import CaptionEncoder
from contraview.modalities.images.caption_views import eda
from contraview.modalities.images.captions import (
    CaptionedSource,
    Texts,
    captions_of,
    split_words,
    tokens,
)

PIXELS = numpy_generator(0, "captions").integers(0, 256, (4, 8, 8), dtype=np.uint8)
CAPTIONS = ["a red apple", "Two cats!", "dog", "the old house by the sea, at night"]
SIZES = {"buckets": 512, "words": 16}


def words_of(row):
    return [tuple(word) for word in row.tolist() if any(word)]


def test_images_with_captions_and_texts_alone(tmp_path):
    pairs = CaptionedSource().read({"x": PIXELS, "caption": np.array(CAPTIONS)})
    assert captions_of(pairs) == CAPTIONS
    assert captions_of(pairs.take([2])) == ["dog"]
    (tmp_path / "q.txt").write_text("a dog\n\n two cats \n")
    texts = CaptionedSource().read([tmp_path / "q.txt", "text:a red apple"])
    assert isinstance(texts, Items)
    assert texts.lines == ("a dog", "two cats", "a red apple")
    assert texts.take([2, 0]).lines == ("a red apple", "a dog")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"x": PIXELS}, "no column 'caption'"),
        ({"x": PIXELS, "caption": np.array(["a", "", "b", "c"])}, "row 2, column 'caption': empty"),
    ],
)
def test_missing_captions_are_named(source, says):
    with pytest.raises(InputError, match=says):
        captions_of(CaptionedSource().read(source))


def test_texts_that_are_none(tmp_path):
    (tmp_path / "e.txt").write_text("\n")
    for source in ("text: ", str(tmp_path / "e.txt"), "no.txt"):
        with pytest.raises(InputError, match="expected"):
            CaptionedSource().read(source)


def test_words_and_trigrams():
    assert split_words("Ärger: 2 CATS, don't") == ["ärger", ":", "2", "cats", ",", "don", "'", "t"]
    cat, cats = tokens(["cat", "cats"], **SIZES)[:, 0]
    assert (cat > 0).sum() == 3
    assert (cats > 0).sum() == 4
    assert set(cat[:2].tolist()) == set(cats[:2].tolist())
    assert tokens(["a b c d"], buckets=512, words=2).shape == (1, 2, 1)
    assert tokens([""], **SIZES).shape == (1, 1, 1)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.integers(0, 99))
def test_any_text_becomes_numbers_and_has_views(texts, seed):
    table = tokens(texts, **SIZES)
    assert table.min() >= 0
    assert table.max() < 512
    view = eda(table, torch_generator(seed, "eda"), share=0.5)
    for before, after in zip(table, view, strict=True):
        known = set(words_of(before))
        assert set(words_of(after)) <= known
        assert len(words_of(after)) >= min(len(words_of(before)), 1)
        if len(words_of(before)) < 2:
            assert words_of(after) == words_of(before)


def test_the_three_operations_and_nothing_else():
    table = tokens(["one two three four five six"] * 300, **SIZES)
    words = words_of(table[0])
    kinds = {"same": 0, "swap": 0, "delete": 0, "insert": 0}
    for row in eda(table, torch_generator(0, "eda"), share=0.2):
        seen = words_of(row)
        if len(seen) == 5:
            assert seen == [word for word in words if word in seen]
            kinds["delete"] += 1
        elif len(seen) == 7:
            kinds["insert"] += 1
            assert set(seen) == set(words)
        else:
            assert sorted(seen) == sorted(words)
            assert sum(a != b for a, b in zip(seen, words, strict=True)) == 2
            kinds["swap"] += 1
    assert all(70 < kinds[kind] < 130 for kind in ("swap", "delete", "insert"))


def test_nothing_touched_is_nothing_changed():
    table = tokens(CAPTIONS, **SIZES)
    assert torch.equal(eda(table, torch_generator(0, "x"), share=0.0), table)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_caption_has_one_vector_whatever_it_is_padded_to(depth):
    encoder = CaptionEncoder(512, 16, depth=depth).eval()
    table = tokens([*CAPTIONS, ""], **SIZES)
    padded = torch.nn.functional.pad(table, (0, 3, 0, 5))
    torch.testing.assert_close(encoder(table), encoder(padded), atol=1e-5, rtol=1e-4)
    assert encoder(table).isfinite().all()
    swapped = tokens(["apple red a"], **SIZES)
    same = torch.allclose(encoder(table[:1]), encoder(swapped), atol=1e-5)
    assert same == (depth == 0)


def test_texts_have_a_fingerprint_and_no_labels():
    assert Texts(("a", "b")).fingerprint() != Texts(("ab",)).fingerprint()
    with pytest.raises(InputError, match="no labels"):
        Texts(("a",)).labels()
