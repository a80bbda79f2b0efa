import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from contraview.apps.cli import main
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.frameworks.images.simclr import SimCLR
from contraview.frameworks.images.two_views import Pair
from contraview.modalities.images.data import read_images

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "hidden": 16, "outputs": 8}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8)), np.zeros((40, 8))),
)


@pytest.fixture(scope="module")
def simclr():
    few = tiny_images.labels()
    few[12:] = ""
    knobs = KNOBS | {"widths": (16, 32), "steps": 80, "views": {"rotate": 0, "crop": 0.5}}
    return SimCLR(**knobs).fit(tiny_images.data(), labels=few, run=Run(seed=0))


def fresh_images():
    return read_images(tiny_images.pixels(count=90, seed=1))


def test_the_loss_is_nt_xent_of_the_two_views_by_hand():
    pair = Pair(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    system = SimCLR(**KNOBS, temperature=0.5)
    contrast = system.contrast(system.fresh_encoder(tiny_images.data(), 0), seed=0)
    h = 2**-0.5
    z = np.array([[1, 0], [0, 1], [1, 0], [h, h]])
    e = np.exp(z @ z.T / 0.5)
    np.fill_diagonal(e, 0)
    losses = [-np.log(e[i, (i + 2) % 4] / e[i].sum()) for i in range(4)]
    assert contrast.compare(pair).item() == pytest.approx(np.mean(losses), rel=1e-5)
    weights = np.array([0.5, 1.5])
    weighted = contrast.compare(pair, torch.tensor([0.5, 1.5])).item()
    assert weighted == pytest.approx(np.mean(losses * np.tile(weights, 2)), rel=1e-5)


def test_four_labels_a_class_name_new_images(simclr):
    chances = simclr.classify(fresh_images())
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)
    named = np.asarray(simclr.classes)[chances.argmax(1)]
    assert (named == tiny_images.labels(90)).mean() > 0.8


def test_search_finds_the_image_itself_and_then_its_kind(simclr):
    images = fresh_images()
    found, similarity = simclr.search(images, among=images, k=4)
    np.testing.assert_array_equal(found[:, 0], np.arange(90))
    np.testing.assert_allclose(similarity[:, 0], 1, atol=1e-6)
    assert (np.diff(similarity, axis=1) <= 0).all()
    assert (found[:, 1:] % 3 == np.arange(90)[:, None] % 3).mean() > 0.7


def test_the_embedding_is_the_encoders_without_the_head(simclr):
    assert simclr.embed(fresh_images()).shape == (90, 32)
    weights = simclr.learnt().arrays
    assert not any("head" in name for name in weights)


def test_the_encoder_never_sees_the_labels():
    with_labels = TINY.fit(SimCLR(**KNOBS), Run(seed=3))
    without = SimCLR(**KNOBS).fit(tiny_images.data(), run=Run(seed=3))
    pixels = tiny_images.data()
    np.testing.assert_array_equal(with_labels.embed(pixels), without.embed(pixels))


def test_views_are_settings_and_change_what_is_learnt():
    plain = SimCLR(**KNOBS, views={"crop": 0, "jitter": 0})
    assert plain.config.views.crop == 0
    assert plain.config.views.flip == 0.5
    images = tiny_images.data()
    other = SimCLR(**KNOBS).fit(images).embed(images)
    assert not np.allclose(plain.fit(images).embed(images), other)


def test_wrong_labels_are_refused_before_anything_is_trained(tmp_path):
    run = Run(tmp_path / "run")
    for labels, says in ((["a"], "1 labels for 60 items"), (["a"] * 60, "1 class among")):
        with pytest.raises(InputError, match=says):
            SimCLR(**KNOBS).fit(tiny_images.data(), labels=labels, run=run)
    assert not run.events()


def test_what_it_cannot_do_is_said(simclr):
    unlabelled = SimCLR(**KNOBS).fit(tiny_images.data())
    for asked, says in (
        (lambda: unlabelled.classify(tiny_images.data()), "learnt no classes; fit with labels"),
        (lambda: simclr.search(fresh_images()), "keeps no images"),
        (lambda: simclr.embed(np.zeros((3, 20, 20))), "20 x 20 pixels in grey; expected 16 x 16"),
        (lambda: simclr.search(fresh_images(), among=fresh_images(), k=91), "91 neighbours"),
    ):
        with pytest.raises(InputError, match=says):
            asked()


def test_from_files_to_answers_on_the_command_line(tmp_path, capsys):
    for i, pixels in enumerate(tiny_images.pixels(count=24)):
        path = tmp_path / "photos" / tiny_images.NAMES[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
    photos, model = str(tmp_path / "photos"), str(tmp_path / "model")
    knobs = ["--widths", "8", "16", "--steps", "5", "--batch", "8", "--views.crop", "0.5"]
    assert main(["fit", "simclr", photos, "--labels", "label", "--out", model, *knobs]) == 0
    heard = capsys.readouterr()
    assert "24 images of 16 x 16 pixels in colour" in heard.err
    assert main(["classify", model, photos, "--out", str(tmp_path / "c.csv")]) == 0
    named = pl.read_csv(tmp_path / "c.csv")
    assert named.columns == ["file", "label", "predicted", *(f"p_{n}" for n in tiny_images.NAMES)]
    assert main(["search", model, photos + "/down", "--among", photos, "--k", "2",
                 "--out", str(tmp_path / "s.csv")]) == 0  # fmt: skip
    found = pl.read_csv(tmp_path / "s.csv")
    assert found.filter(pl.col("rank") == 1)["item_label"].unique().to_list() == ["down"]
    assert main(["evaluate", model, photos, "--labels", "label"]) == 0
    capsys.readouterr()
    assert main(["fit", "simclr", photos, "--out", model + "2", "--views.crop", "2"]) == 2
    assert "crop" in capsys.readouterr().err
    assert main(["embed", model, str(tmp_path / "photos" / "none")]) == 2
    assert not Path(model + "2").exists()
