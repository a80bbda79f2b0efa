import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import contraview
from contraview.apps.cli import main
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.modalities.images.data import read_images
from contraview.systems.projection_head import ProjectionHead
from contraview.systems.projection_head.layers import strengths
from contraview.systems.projection_head.linear import inequality, spectral_loss, two_layers

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "hidden": 12, "outputs": 10, "queue": 40}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


@pytest.fixture(scope="module")
def fitted():
    return ProjectionHead(**KNOBS).fit(
        tiny_images.data(), labels=tiny_images.labels(), run=Run(seed=0)
    )


def test_every_layer_is_there_and_the_network_agrees(fitted):
    images = tiny_images.data()
    layers = fitted.layers(images)
    assert {name: each.shape[1] for name, each in layers.items()} == {
        "block 1": 8, "encoder": 16, "hidden": 12, "head": 10,
    }  # fmt: skip
    with torch.inference_mode():
        features = fitted.encoder(images.batch(torch.arange(60)))
        np.testing.assert_allclose(layers["encoder"], features.numpy(), atol=1e-6)
        np.testing.assert_allclose(layers["head"], fitted.head(features).numpy(), atol=1e-5)


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
@pytest.mark.parametrize("head", ["mlp", "linear", "reweight", "none"])
def test_the_head_is_kept_whatever_it_is_and_wherever_it_stands(base, head, tmp_path):
    knobs = KNOBS | {"steps": 2, "base": base, "head": head}
    system = ProjectionHead(**knobs).fit(tiny_images.data(), run=Run(seed=0))
    system.save(tmp_path / "model")
    again = contraview.load(tmp_path / "model")
    for name, vectors in system.layers(tiny_images.data()).items():
        np.testing.assert_array_equal(again.layers(tiny_images.data())[name], vectors)


def test_any_layer_can_be_read(fitted):
    head = ProjectionHead(**KNOBS, layer="head").fit(tiny_images.data(), run=Run(seed=0))
    np.testing.assert_array_equal(
        head.embed(tiny_images.data()), fitted.layers(tiny_images.data())["head"]
    )
    with pytest.raises(InputError, match="no layer 'hidden'; there are block 1, encoder, head"):
        ProjectionHead(**KNOBS, layer="hidden", head="linear").fit(tiny_images.data())


def test_audit_says_what_each_layer_holds(fitted):
    figures = fitted.audit(tiny_images.data())
    assert figures["encoder: width"] == 16
    assert 1 <= figures["head: effective rank"] <= 10
    assert figures["encoder: accuracy of a linear probe"] > 0.5
    unlabelled = fitted.audit(read_images(tiny_images.pixels()))
    assert not any("accuracy" in name for name in unlabelled)
    with pytest.raises(InputError, match="1 images to audit with"):
        fitted.audit(tiny_images.data().take([0]))


def test_strengths_by_hand():
    vectors = np.array([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]])
    found = strengths(vectors)
    assert found["largest share"] == pytest.approx(18 / 20)
    shares = np.array([18**0.5, 2**0.5]) / (18**0.5 + 2**0.5)
    assert found["effective rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert strengths(np.ones((3, 2)))["largest share"] == 0


def test_the_spectral_loss_is_its_double_sum():
    one, other = torch.randn((2, 7, 3), generator=torch_generator(0), dtype=torch.float64)
    pairs = [(one[i] @ other[j]) ** 2 for i in range(7) for j in range(7)]
    expected = -2 * sum(one[i] @ other[i] for i in range(7)) / 7 + sum(pairs) / 49
    torch.testing.assert_close(spectral_loss(one, other), expected)


def test_a_balanced_start_stays_balanced_and_the_upper_layer_weighs_more_unequally():
    draw = torch_generator(1)
    kept = torch.tensor([0.9, 0.6, 0.3], dtype=torch.float64)
    signal, a, b = torch.randn((3, 3_000, 3), generator=draw, dtype=torch.float64)
    one, other = (kept.sqrt() * signal + (1 - kept).sqrt() * noise for noise in (a, b))
    first, second = two_layers(one, other, width=4, steps=2_000, seed=draw)
    drift = (first @ first.T - second.T @ second).norm() / (first @ first.T).norm()
    assert drift < 0.01
    lower, upper = one @ first.T, one @ first.T @ second.T
    # The optimum weights direction i of the whole by sqrt(kept_i), each layer by its root.
    assert inequality(upper, 3) == pytest.approx((0.9 / 0.3) ** 0.5, rel=0.1)
    assert inequality(lower, 3) == pytest.approx((0.9 / 0.3) ** 0.25, rel=0.1)


def test_on_the_command_line(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=tiny_images.pixels(), kind=tiny_images.labels())
    data, model = str(tmp_path / "x.npz"), str(tmp_path / "model")
    knobs = ["--widths", "8", "16", "--steps", "2", "--batch", "8", "--head", "reweight"]
    assert main(["fit", "projection_head", data, "--labels", "kind", "--out", model, *knobs]) == 0
    assert main(["audit", model, data]) == 0
    said = capsys.readouterr().out
    assert "head: effective rank" in said
    assert "encoder: accuracy of a linear probe" in said
