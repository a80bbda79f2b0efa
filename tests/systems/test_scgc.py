import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.clustering import clustering_figures
from contraview.modalities.graphs.adjacency import normalised, powers, undirected
from contraview.modalities.graphs.data import read_graph
from contraview.objectives import group_divergence, neighbourhood, sharpened, student_t
from contraview.systems.scgc import Scgc
from contraview.systems.scgc.config import OFFICIAL

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

GROUPS, EACH, WIDTH = 3, 20, 12


def features_and_edges(seed=0):
    """Three groups whose features overlap and whose edges mostly stay inside."""
    g = numpy_generator(seed, "tiny graph")
    group = np.repeat(np.arange(GROUPS), EACH)
    centres = g.normal(0, 1, (GROUPS, WIDTH))
    features = (centres[group] + g.normal(0, 2.0, (len(group), WIDTH))).astype(np.float32)
    inside = [(i, EACH * group[i] + g.integers(EACH)) for i in range(len(group)) for _ in range(5)]
    outside = [(g.integers(len(group)), g.integers(len(group))) for _ in range(10)]
    return features, np.array(inside + outside), group


def data():
    features, edges, _ = features_and_edges()
    return read_graph((features, edges))


TINY = Tiny(
    data,
    {
        "clusters": GROUPS,
        "hidden": (16, 16),
        "code": 4,
        "epochs": 40,
        "lr": 1e-2,
        "pretraining_epochs": 10,
        "pretraining_batch": 16,
        "restarts": 3,
    },
)


@pytest.fixture(scope="module")
def scgc():
    return Scgc(**TINY.knobs).fit(data(), run=Run(seed=0))


def small(**knobs):
    return Scgc(**{**TINY.knobs, "epochs": 2, "pretraining_epochs": 1, **knobs})


def test_edges_tell_apart_what_features_blur(scgc):
    truth = features_and_edges()[2]
    found = clustering_figures(truth, scgc.cluster(data()))
    blind = Scgc(**TINY.knobs, alpha=0).fit(data(), run=Run(seed=0))
    assert found["NMI"] > clustering_figures(truth, blind.cluster(data()))["NMI"] + 0.2


def test_a_node_is_placed_by_its_features_alone(scgc):
    features = features_and_edges()[0]
    whole = scgc.embed(data())
    np.testing.assert_allclose(scgc.embed(features[7:9]), whole[7:9], atol=1e-5)
    assert scgc.cluster(features[:1]).shape == (1,)  # too few nodes for a neighbour graph


def test_groups_are_the_largest_soft_assignment(scgc):
    q = student_t(torch.from_numpy(scgc.embed(data())), torch.from_numpy(scgc.centres))
    np.testing.assert_array_equal(scgc.cluster(data()), q.argmax(1).numpy())


def test_the_second_read_out_is_k_means_on_the_unit_code(scgc):
    other = Scgc(**TINY.knobs, readout="k-means")
    other.restore(scgc.learnt())
    codes = scgc.embed(data())
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    apart = ((codes[:, None] - scgc.unit_centres) ** 2).sum(2)
    np.testing.assert_array_equal(other.cluster(data()), apart.argmin(1))


def test_no_label_reaches_training():
    features, edges, truth = features_and_edges()
    table = pl.DataFrame(features, schema=[f"x{i}" for i in range(WIDTH)])
    told = table.with_columns(group=pl.Series(truth))
    one = small().fit(read_graph((table, edges)), run=Run(seed=0))
    other = small().fit(read_graph((told, edges), labels="group"), run=Run(seed=0))
    np.testing.assert_array_equal(one.embed(features), other.embed(features))
    assert "labels" not in Scgc.fit.__annotations__


def test_the_last_epoch_is_kept_however_good_an_earlier_one_was():
    """A training of n epochs is the first n of a longer one: nothing looks back."""
    starts = {}
    for epochs in (2, 3):
        starts[epochs] = small(epochs=epochs).fit(data(), run=Run(seed=0)).centres
    assert not np.array_equal(starts[2], starts[3])


def test_positives_of_a_row_sum_to_one_and_cumulated_to_the_hops():
    for hops in (1, 3):
        power = small(hops=hops, cumulative=False).positives(data())
        total = small(hops=hops, cumulative=True).positives(data())
        np.testing.assert_allclose(power.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(total.sum(axis=1), hops, rtol=1e-5)


def test_powers_by_hand():
    path = undirected(3, np.array([[0, 1], [1, 2]]))
    walk = normalised(path, "random walk")
    expected = np.array([[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1 / 2, 1 / 2]])
    np.testing.assert_allclose(walk.toarray(), expected, rtol=1e-6)
    squared = powers(walk, 2, cumulative=False).toarray()
    np.testing.assert_allclose(squared, expected @ expected, rtol=1e-6)
    both = powers(walk, 2, cumulative=True).toarray()
    np.testing.assert_allclose(both, expected + expected @ expected, rtol=1e-6)


def test_the_variant_with_reconstruction_keeps_its_decoder_and_differs(scgc):
    full = small(reconstruction=True, cumulative=False, hops=2).fit(data(), run=Run(seed=0))
    star = small(hops=2).fit(data(), run=Run(seed=0))
    assert not np.allclose(full.embed(data()), star.embed(data()))


def test_more_nodes_than_a_batch_are_seen_in_parts():
    parts = small(batch=20, epochs=20).fit(data(), run=Run(seed=0))
    assert len(np.unique(parts.cluster(data()))) > 1


def test_the_paper_s_settings_are_those_of_its_table():
    star = Scgc.preset("paper-usps").config
    assert (star.alpha, star.beta, star.hops, star.tau, star.lr) == (4, 0.1, 4, 0.25, 1e-3)
    assert star.hidden == (500, 500, 2000)
    assert (star.code, star.epochs, star.cumulative, star.reconstruction) == (10, 200, True, False)
    whole = Scgc.preset("paper-hhar-reconstruction").config
    assert (whole.alpha, whole.beta, whole.hops, whole.tau) == (1, 10, 4, 2.25)
    assert (whole.cumulative, whole.reconstruction) == (False, True)
    assert Scgc.preset("paper-cite").config.lr == 1e-4
    assert len(OFFICIAL) == 6


@pytest.mark.parametrize(
    ("knobs", "graph", "said"),
    [
        ({"clusters": None}, data, "how many groups"),
        ({"clusters": 40}, data, "60 nodes for 40 groups"),
    ],
)
def test_what_cannot_be_grouped_is_refused(knobs, graph, said):
    with pytest.raises(InputError, match=said):
        small(**knobs).fit(graph())


def test_other_features_than_those_learnt_from_are_refused(scgc):
    with pytest.raises(InputError, match="5 features; the model learnt from 12"):
        scgc.embed(np.zeros((4, 5), np.float32))
    names = [f"x{i}" for i in range(WIDTH)]
    features = features_and_edges()[0]
    named = small().fit(pl.DataFrame(features, schema=names), run=Run(seed=0))
    swapped = pl.DataFrame(features, schema=[names[1], names[0], *names[2:]])
    with pytest.raises(InputError, match="'x1' where the model learnt from 'x0'"):
        named.embed(swapped)


@pytest.mark.parametrize("stage", ["autoencoder", "contrast"])
def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path, monkeypatch, stage):
    from contraview.systems.scgc import training

    whole = small(epochs=4).fit(data(), run=Run(tmp_path / "whole"))
    train = training.train

    def stopped(model, loss, batches, schedule, *, run, name, **rest):
        def interrupting(step):
            if name == stage and step == 1:
                raise KeyboardInterrupt
            return batches(step)

        return train(
            model, loss, interrupting, schedule, run=run, name=name, checkpoint_every=1, **rest
        )

    monkeypatch.setattr(training, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        small(epochs=4).fit(data(), run=Run(tmp_path / "run"))
    monkeypatch.setattr(training, "train", train)
    again = small(epochs=4).fit(data(), run=Run(tmp_path / "run"))
    np.testing.assert_array_equal(again.embed(data()), whole.embed(data()))
    assert any(event["kind"] == "data" for event in Run(tmp_path / "run").events())


def test_saved_and_loaded_it_places_nodes_of_a_file(scgc, tmp_path):
    np.save(tmp_path / "nodes.npy", features_and_edges()[0])
    scgc.save(tmp_path / "model")
    loaded = contraview.load(tmp_path / "model")
    found = loaded.cluster(tmp_path / "nodes.npy")
    np.testing.assert_array_equal(found, scgc.cluster(data()))


def test_group_divergence_is_the_contrast_s_companion_only():
    """beta = 0 leaves the centres where k-means put them."""
    system = small(beta=0)
    start = {}
    original = system.start
    system.start = lambda codes, seed: start.setdefault("centres", original(codes, seed))
    fitted = system.fit(data(), run=Run(seed=0))
    np.testing.assert_array_equal(fitted.centres, start["centres"])
    q = torch.full((4, 2), 0.5)
    assert float(group_divergence(q)) == pytest.approx(0, abs=1e-6)
    assert torch.equal(sharpened(q), q)
    assert neighbourhood(torch.eye(2), torch.eye(2), 1.0) > 0
