import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.frameworks.two_view import two_view
from contraview.modalities.text.data import read_texts
from contraview.networks.tokens import PooledTokens
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.mirror_bert import MirrorBert

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

WHO = ["the old man", "a young woman", "my neighbour", "the grey cat", "one small child"]
DOES = ["is playing", "looks at", "bought", "carries", "paints"]
WHAT = ["a wooden guitar", "the red car", "two apples", "an open book", "the garden fence"]


def lines():
    """A hundred sentences, some under 30 characters."""
    g = numpy_generator(0, "tiny text")
    every = [f"{who} {does} {what}" for who in WHO for does in DOES for what in WHAT]
    return [every[i] for i in g.permutation(len(every))[:100]]


def data():
    return read_texts(lines())


KNOBS = {
    "vocabulary": 120,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "hidden": 32,
    "length": 16,
    "language_steps": 20,
    "batch": 25,
    "lr": 3e-3,
}
TINY = Tiny(
    data,
    KNOBS,
    ask={"search": lambda system: system.search(lines()[:5], among=data(), k=3)},
    wrong=("no/such/file.csv", "", [], 3.5, ["a"] * 100),
)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The folder of a masked language model that has not been tuned."""
    folder = tmp_path_factory.mktemp("start") / "model"
    return MirrorBert(**KNOBS, epochs=0).fit(data(), run=Run(seed=0)).save(folder)


def passes(system, pooling="mean"):
    """Both views of the first strings, as the tuning sees them."""
    views = system._views(system.pieces, lines(), torch.arange(20), torch_generator(0, "v"))
    model = PooledTokens(system.language.encoder, pooling).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        one, other = (nn.functional.normalize(model(view)) for view in views)
    return (one - other).norm(dim=1)


def restored(start, **knobs):
    system = contraview.load(start)
    system.config = system.config.model_copy(update=knobs)
    return system


def test_the_same_string_twice_differs_by_dropout_or_by_its_mask_and_else_not_at_all(start):
    long = torch.tensor([len(each) >= 30 for each in lines()[:20]])
    assert 0 < long.sum() < 20
    system = restored(start, span=0)
    assert (passes(system) > 1e-3).all()
    without = MirrorBert(start=str(start), dropout=0.0, epochs=0).fit(data())
    without.config = without.config.model_copy(update={"span": 0})
    assert (passes(without) < 1e-6).all()
    masked = MirrorBert(start=str(start), dropout=0.0, epochs=0).fit(data())
    apart = passes(masked)
    assert (apart[long] > 1e-3).all()
    assert (apart[~long] < 1e-6).all()


def test_only_the_second_view_is_masked(start):
    system = contraview.load(start)
    one, other = system._views(system.pieces, lines(), torch.arange(20), torch_generator(0, "v"))
    plain = system.pieces.encode(lines()[:20], 16)
    assert torch.equal(one[:, : plain.shape[1]], plain)
    long = [len(each) >= 30 for each in lines()[:20]]
    assert (other == 4).any(1).tolist() == long


def test_the_loss_is_nt_xent_over_both_views_worked_out_by_hand():
    vectors = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0], [-1.0, 0.0]])
    one, other = vectors[:2], vectors[2:]
    cosine = [[1, 0.6, 0, -1], [0.6, 1, 0.8, -0.6], [0, 0.8, 1, 0], [-1, -0.6, 0, 1]]
    losses = []
    for i, positive in enumerate((2, 3, 0, 1)):
        others = [math.exp(cosine[i][k] / 0.2) for k in range(4) if k != i]  # itself left out
        losses.append(math.log(sum(others)) - cosine[i][positive] / 0.2)
    loss = two_view(lambda _r, _g: (one, other), lambda a, b: nt_xent(a, b, 0.2))
    found = loss(nn.Identity(), torch.arange(2), torch_generator(0, "x")).loss
    assert found.item() == pytest.approx(sum(losses) / 4, rel=1e-5)


def test_tuning_draws_the_two_passes_together_and_strings_apart(start):
    before, after = (
        contraview.load(start),
        MirrorBert(start=str(start), lr=3e-3, batch=25, epochs=8).fit(data(), run=Run(seed=0)),
    )

    def mean_cosine(system):
        vectors = system.embed(data())
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors @ vectors.T)[~np.eye(100, dtype=bool)].mean()

    assert mean_cosine(after) < mean_cosine(before) - 0.1


def test_a_start_brings_its_own_network_and_vocabulary(start):
    tuned = MirrorBert(start=str(start), batch=25, epochs=1).fit(lines()[:50], run=Run(seed=3))
    assert tuned.config.width == 16
    assert tuned.pieces.vocabulary == contraview.load(start).pieces.vocabulary
    untouched = MirrorBert(start=str(start), epochs=0).fit(data())
    np.testing.assert_array_equal(untouched.embed(data()), contraview.load(start).embed(data()))


def test_the_start_is_not_needed_to_load_what_was_tuned_from_it(start, tmp_path):
    moved = tmp_path / "start"
    contraview.load(start).save(moved)
    tuned = MirrorBert(start=str(moved), batch=25).fit(data())
    tuned.save(tmp_path / "tuned")
    for path in moved.iterdir():
        path.unlink()
    again = contraview.load(tmp_path / "tuned")
    np.testing.assert_array_equal(again.embed(data()), tuned.embed(data()))


def test_a_start_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        MirrorBert(start=str(tmp_path / "none")).fit(data())


def test_equal_lines_count_once():
    twice = MirrorBert(**KNOBS).fit(lines() * 2, run=Run(seed=0))
    once = MirrorBert(**KNOBS).fit(lines(), run=Run(seed=0))
    np.testing.assert_array_equal(twice.embed(data()), once.embed(data()))
    assert twice.learnt().facts["strings"] == 200
    assert twice.learnt().facts["different strings"] == 100
    with pytest.raises(InputError, match="1 different strings; expected at least 16"):
        MirrorBert(**KNOBS).fit(["a"] * 100)


@pytest.mark.parametrize("pooling", ["cls", "mean", "padded_mean"])
def test_a_vector_does_not_depend_on_what_it_is_embedded_with(start, pooling):
    system = restored(start, pooling=pooling)
    alone = np.concatenate([system.embed([each]) for each in lines()[:10]])
    np.testing.assert_allclose(alone, system.embed(lines())[:10], atol=1e-5)


def test_search_finds_the_string_itself_first(start):
    found, cosine = contraview.load(start).search(lines()[:5], among=data(), k=100)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(cosine[:, 0], 1, atol=1e-6)
    assert (np.diff(cosine, axis=1) <= 1e-7).all()
    with pytest.raises(InputError, match="search needs strings to search among"):
        contraview.load(start).search(lines()[:5])
    with pytest.raises(InputError, match="101 neighbours of 100 rows"):
        contraview.load(start).search(lines()[:5], among=data(), k=101)


PAPER = {
    "width": 768, "depth": 12, "heads": 12, "hidden": 3072, "vocabulary": 30522, "length": 50,
    "dropout": 0.1, "temperature": 0.04, "span": 5, "span_least": 30, "pooling": "padded_mean",
    "batch": 200, "epochs": 1, "lr": 2e-5, "weight_decay": 0.01, "masked": 0.15,
}  # fmt: skip
PAPER_WORDS = PAPER | {"temperature": 0.2, "epochs": 2, "length": 25, "pooling": "cls"}


@pytest.mark.parametrize(("preset", "wanted"), [("paper", PAPER), ("paper_words", PAPER_WORDS)])
def test_the_paper_presets_have_the_official_settings(preset, wanted):
    config = MirrorBert.preset(preset).config
    assert {knob: getattr(config, knob) for knob in wanted} == wanted


def test_the_paper_preset_has_berts_size():
    config = MirrorBert.preset("paper").config
    with torch.device("meta"):
        language = MirrorBert.preset("paper")._fresh(config.vocabulary, 0)
    assert 108e6 < sum(p.numel() for p in language.parameters()) < 112e6


def test_heads_have_to_divide_the_width():
    with pytest.raises(InputError, match="heads=3 do not divide width=128"):
        MirrorBert(heads=3)
