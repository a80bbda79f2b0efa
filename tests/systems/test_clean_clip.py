import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import contraview
from contraview.apps.cli import main
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.evaluation.backdoor import attack_success_rate
from contraview.frameworks.towers import clamp_scale
from contraview.modalities.images.captions import Texts, captions_of, tokens
from contraview.modalities.images.poison import marked, poisoned
from contraview.modalities.images.triggers import Trigger
from contraview.objectives.clip import clip
from contraview.systems.clean_clip import CleanClip, CleanClipConfig
from contraview.systems.clean_clip.objective import CleanLoss

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
import tiny_pairs
from tiny import Tiny

KNOBS = {
    "image_widths": (8, 16), "text_width": 16, "outputs": 8, "buckets": 256, "batch": 20,
    "epochs": 4, "classes": tiny_images.NAMES, "templates": (tiny_pairs.PROMPT,),
}  # fmt: skip
TEXTS = Texts(tuple(tiny_pairs.PROMPT.format(name) for name in tiny_images.NAMES))
TINY = Tiny(
    tiny_pairs.data,
    KNOBS,
    ask={"search": lambda system: system.search(TEXTS, among=tiny_pairs.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((20, 8, 8)), Texts(("a", "b"))),
)
LONGER = KNOBS | {"inmodal": 0.0, "epochs": 40, "lr": 3e-3, "image_widths": (16, 32)}


@pytest.fixture(scope="module")
def plain():
    """A model that is not poisoned."""
    return CleanClip(**LONGER).fit(tiny_pairs.data(), run=Run(seed=0))


def predicted(system, images):
    return np.asarray(system.classes)[system.classify(images).argmax(1)]


def made(**knobs):
    system = CleanClip(**KNOBS | knobs)
    pairs = tiny_pairs.data()
    system.shape = pairs.shape
    texts = tokens(captions_of(pairs), buckets=256, words=32)
    return system._towers(0), CleanLoss(pairs, texts, system.config), pairs, texts


def cross_entropy(rows, columns, scale):
    s = scale * rows @ columns.T
    return np.mean(np.log(np.exp(s).sum(1)) - np.diag(s))


def test_the_loss_of_a_batch_by_hand_with_both_weights():
    g = torch_generator(0, "vectors")
    image, text = (torch.nn.functional.normalize(torch.randn(10, 8, generator=g)) for _ in "ab")
    _, loss, _, _ = made(crossmodal=2.0, inmodal=0.5)

    class Known(torch.nn.Module):
        def forward(self, items):
            assert len(items["image"]) == len(items["text"]) == 10
            return {"image": image, "text": text}, torch.tensor(7.0)

    step = loss(Known(), torch.arange(5), torch_generator(0))
    i, j, t, u = (x.numpy() for x in (image[:5], image[5:], text[:5], text[5:]))
    across = (cross_entropy(i, t, 7) + cross_entropy(t, i, 7)) / 2
    within = (cross_entropy(i, j, 7) + cross_entropy(t, u, 7)) / 2  # one direction each
    assert step.loss.item() == pytest.approx(2 * across + 0.5 * within, rel=1e-5)


def test_without_the_in_modal_term_it_is_plain_clip_exactly():
    model, loss, pairs, texts = made(inmodal=0.0)
    rows = torch.tensor([3, 1, 4, 15])
    step = loss(model, rows, torch_generator(0))
    vectors, scale = model({"image": pairs.batch(rows), "text": texts[rows]})
    assert torch.equal(step.loss, clip(vectors["image"], vectors["text"], scale=scale))


def test_the_scale_never_exceeds_100(plain):
    model, _, _, _ = made()
    with torch.no_grad():
        model.log_scale.fill_(50.0)
    clamp_scale(model, 1)
    assert model.log_scale.exp() <= 100.001
    driven = CleanClip(**KNOBS | {"lr": 0.5, "epochs": 5, "warmup_steps": 0, "inmodal": 0.0})
    driven.fit(tiny_pairs.data())
    assert 1 <= driven.model.log_scale.exp() <= 100.001


def test_text_and_images_find_each_other(plain):
    images = tiny_pairs.data(90, seed=1)
    assert (predicted(plain, images) == images.labels()).mean() > 0.8
    found, similarity = plain.search(TEXTS, among=images, k=5)
    assert (found % 3 == np.arange(3)[:, None]).mean() > 0.7
    assert (np.diff(similarity, axis=1) <= 0).all()
    named, _ = plain.search(images, among=TEXTS, k=1)
    assert (named[:, 0] == np.arange(90) % 3).mean() > 0.8
    np.testing.assert_allclose(np.linalg.norm(plain.embed(TEXTS), axis=1), 1, atol=1e-5)


def test_the_success_rate_of_a_clean_model_is_near_the_base_rate(plain):
    images = tiny_pairs.data(90, seed=2)
    attacked = predicted(plain, marked(images, Trigger(size=2), seed=0))
    base = (predicted(plain, images)[images.labels() != "down"] == "down").mean()
    assert attack_success_rate(attacked, images.labels(), "down") == pytest.approx(base, abs=0.15)


def test_a_poisoned_model_obeys_and_the_audit_sees_it(plain):
    dirty = poisoned(
        tiny_pairs.data(), target="down", count=12, trigger=Trigger(kind="yellow", size=4),
        templates=(tiny_pairs.PROMPT,), seed=0,
    )  # fmt: skip
    system = CleanClip(**LONGER | {"epochs": 60}).fit(dirty, run=Run(seed=0))
    images = tiny_pairs.data(60, seed=3)
    attacked = predicted(system, marked(images, Trigger(kind="yellow", size=4), seed=1))
    assert attack_success_rate(attacked, images.labels(), "down") > 0.6
    figures, usual = system.audit(images), plain.audit(images)
    key = "yellow 4 px: cosine to the unmarked image"
    assert figures[key] < usual[key] - 0.1


def test_cleaning_starts_from_the_model_and_takes_its_networks(plain, tmp_path):
    plain.save(tmp_path / "model")
    still = CleanClip(start=str(tmp_path / "model"), lr=1e-12, epochs=1, weight_decay=0.0)
    still.fit(tiny_pairs.data())
    np.testing.assert_allclose(still.embed(TEXTS), plain.embed(TEXTS), atol=1e-5)
    assert still.config.image_widths == (16, 32)
    assert still.classes == plain.classes
    again = contraview.load(still.save(tmp_path / "cleaned"))
    np.testing.assert_array_equal(again.embed(TEXTS), still.embed(TEXTS))


def test_the_optimiser_begins_anew_whatever_the_poisoned_run_left(plain, tmp_path):
    """The official code goes on with the poisoned run's moments: its first updates differ."""
    plain.save(tmp_path / "model")
    assert not any("moment" in name or "exp_avg" in name for name in plain.learnt().arrays)
    knobs = {"start": str(tmp_path / "model"), "epochs": 2, "lr": 1e-3, "weight_decay": 0.0}
    # Two steps, of which the schedule gives the last a rate of zero.
    first = CleanClip(**knobs, batch=60, warmup_steps=0).fit(tiny_pairs.data())
    moved = torch.cat(
        [
            (a - b).abs().flatten()
            for a, b in zip(first.model.parameters(), plain.model.parameters(), strict=True)
        ]
    )
    assert moved.max() <= 1e-3 * 1.01  # Adam's first step from empty moments: the rate, no more
    assert (moved > 0.9e-3).float().mean() > 0.2


def test_pretraining_and_cleaning_are_values():
    pretrain, clean = (CleanClip.preset(name).config for name in ("paper-pretrain", "paper"))
    assert (pretrain.inmodal, clean.inmodal, clean.crossmodal) == (0.0, 1.0, 1.0)
    for config in (pretrain, clean):
        assert (config.outputs, config.weight_decay, config.text_depth) == (1024, 0.1, 12)
    assert (pretrain.lr, pretrain.warmup_steps, pretrain.batch, pretrain.epochs) == (
        5e-4, 10_000, 128, 64,
    )  # fmt: skip
    assert (clean.lr, clean.warmup_steps, clean.batch, clean.epochs) == (1e-5, 50, 64, 10)


def test_what_it_cannot_do_is_said(plain, tmp_path):
    nameless = CleanClip(**KNOBS | {"classes": ()}).fit(tiny_pairs.data())
    named = CleanClip(**KNOBS | {"classes": ()}).fit(tiny_pairs.data(), labels=tiny_images.labels())
    assert named.classes == tuple(sorted(tiny_images.NAMES))
    assert not any("share" in key for key in nameless.audit(tiny_pairs.data()))
    other = tiny_images.data()
    for asked, says in (
        (lambda: nameless.classify(tiny_pairs.data()), "0 names of classes; expected at least 2"),
        (lambda: plain.search(TEXTS), "keeps no pairs"),
        (lambda: CleanClip(**KNOBS).fit(other), "no captions"),
        (lambda: CleanClip(start=str(tmp_path)).fit(tiny_pairs.data()), "system.json"),
        (lambda: plain.embed(np.zeros((3, 20, 20))), "20 x 20 pixels in grey"),
        (lambda: plain.audit(TEXTS), "texts alone"),
    ):
        with pytest.raises(InputError, match=says):
            asked()
    assert isinstance(plain.config, CleanClipConfig)


def test_poison_clean_and_ask_on_the_command_line(tmp_path, capsys):
    rows = []
    for i, pixels in enumerate(tiny_images.pixels(count=24)):
        path = tmp_path / f"{i}.png"
        Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
        name = tiny_images.NAMES[i % 3]
        rows.append({"file": path.name, "caption": tiny_pairs.PROMPT.format(name), "kind": name})
    pl.DataFrame(rows).write_csv(tmp_path / "pairs.csv")
    table, model, cleaned = (str(tmp_path / name) for name in ("pairs.csv", "m", "c"))
    knobs = ["--image-widths", "8", "16", "--text-width", "16", "--outputs", "8", "--epochs", "2"]
    knobs += ["--labels", "kind"]
    assert main(["fit", "clean_clip", table, "--preset", "pretrain", "--out", model, *knobs]) == 0
    assert main(["fit", "clean_clip", table, "--start", model, "--out", cleaned,
                 "--epochs", "1"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["search", cleaned, "text:stripes down", "--among", table, "--k", "2"]) == 0
    found = pl.read_csv(capsys.readouterr().out.encode())
    assert found.columns[-1] == "item_kind"
    assert main(["search", cleaned, table, "--among", "text:down", "text:across", "--k", "1"]) == 0
    capsys.readouterr()
    assert main(["classify", cleaned, table, "--out", str(tmp_path / "out.csv")]) == 0
    assert {"predicted", "p_down"} <= set(pl.read_csv(tmp_path / "out.csv").columns)
    capsys.readouterr()
    assert main(["audit", cleaned, table]) == 0
    assert "noise 2 px: cosine to the unmarked image" in capsys.readouterr().out
    assert main(["fit", "clean_clip", table, "--start", str(tmp_path), "--out", model + "2"]) == 2
