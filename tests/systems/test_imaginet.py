import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from contraview.apps.cli import main
from contraview.claims.imaginet import matched
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.core.weights import weights_of
from contraview.modalities.images.data import read_images
from contraview.systems.imaginet import ImagiNet, ImagiNetConfig
from contraview.systems.imaginet.config import PRESETS, Laundering
from contraview.systems.imaginet.curve import balanced_accuracy, calibration_error
from contraview.systems.imaginet.encoder import (
    UNKNOWN,
    ExitEncoder,
    detector_loss,
    laundered,
    self_con,
)
from contraview.systems.imaginet.heads import Head

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

NAMES = ("real", "checks", "stripes")
KNOBS = {
    "widths": (8, 16), "exits": (1,), "outputs": 8, "steps": 10, "batch": 24, "head_steps": 10,
}  # fmt: skip
LONGER = KNOBS | {
    "widths": (16, 32), "steps": 150, "batch": 48, "head_steps": 150, "head_lr": 0.01, "lr": 5e-3,
    "laundering": {"chance": 0.2, "shift": 0.1},
}  # fmt: skip


def pixels(count=90, seed=0, kinds=NAMES, size=16):
    """Smooth images, which are real; the same with faint checks or faint stripes, which are not."""
    g = numpy_generator(seed, "tiny fakes")
    coarse = g.uniform(0.2, 0.8, (count, 4, 4))
    smooth = np.stack(
        [np.asarray(Image.fromarray(c.astype(np.float32)).resize((size, size))) for c in coarse]
    )
    down, across = np.mgrid[:size, :size]
    mark = {
        "real": 0 * down,
        "checks": (down + across) % 2 - 0.5,
        "stripes": down % 2 - 0.5,
        "dots": ((down % 3 == 0) & (across % 3 == 0)) - 1 / 9,
    }
    marks = np.stack([mark[kinds[i % len(kinds)]] for i in range(count)])
    return np.clip(smooth + 0.2 * marks, 0, 1)


def labels(count=90, kinds=NAMES):
    return np.array(kinds)[np.arange(count) % len(kinds)]


def data(count=90):
    return read_images({"x": pixels(count), "kind": labels(count)}, labels="kind")


TINY = Tiny(
    data,
    KNOBS,
    labels=labels,
    wrong=("no/such/folder", "", [], 3.5, np.zeros((20, 8, 8))),
)


@pytest.fixture(scope="module")
def fitted():
    return ImagiNet(**LONGER).fit(data(300), run=Run(seed=0, show=False))


# the loss


def by_hand(z, y, t):
    """SupCon written out: the mean over anchors that have a positive."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    s = np.exp(z @ z.T / t)
    terms = []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if y[p] == y[i]]
        if positives:
            whole = s[i, others].sum()
            terms.append(-np.mean([np.log(s[i, p] / whole) for p in positives]))
    return np.mean(terms)


def config(**knobs):
    return ImagiNetConfig.of(**KNOBS | knobs)


def test_the_loss_by_hand_over_both_exits_origin_on_all_and_generator_on_synthetic():
    g = np.random.default_rng(0)
    early, full = g.normal(size=(5, 4)), g.normal(size=(5, 4))
    origin, generator = np.array([0, 0, 1, 1, 1]), np.array([-1, -1, 0, 1, 0])
    first, second = self_con(
        [torch.from_numpy(early), torch.from_numpy(full)],
        torch.from_numpy(origin),
        torch.from_numpy(generator),
        config(temperature=0.3),
    )
    z = np.concatenate([early, full])
    assert first.item() == pytest.approx(by_hand(z, np.tile(origin, 2), 0.3))
    made = np.concatenate([early[2:], full[2:]])
    assert second.item() == pytest.approx(by_hand(made, np.tile(generator[2:], 2), 0.3))


def test_the_weights_and_a_step_of_known_projections():
    g = torch_generator(0, "vectors")
    known = [torch.randn(6, 8, generator=g) for _ in "ab"]

    class Known(torch.nn.Module):
        def forward(self, items):
            assert len(items) == 6
            return known

    origin, generator = torch.tensor([0, 1] * 3), torch.tensor([-1, 0, -1, 1, -1, 0])
    settings = config(origin_weight=2.0, generator_weight=0.5)
    images = data().take(range(6))
    step = detector_loss(images, origin, generator, settings)(
        Known(), torch.arange(6), torch_generator(0)
    )
    first, second = self_con(known, origin, generator, settings)
    torch.testing.assert_close(step.loss, 2 * first + 0.5 * second)


def test_an_anchor_without_a_positive_and_a_batch_without_fakes_do_no_harm():
    z = torch.randn(3, 4, generator=torch_generator(0, "z"), requires_grad=True)
    settings = config(temperature=0.07)
    alone, _ = self_con([z], torch.tensor([0, 1, 1]), torch.tensor([-1, 0, 1]), settings)
    assert alone.item() == pytest.approx(by_hand(z.detach().numpy(), [0, 1, 1], 0.07), abs=1e-5)
    nobody, nothing = self_con([z], torch.tensor([0, 1, 2]), torch.full((3,), UNKNOWN), config())
    assert nobody == 0
    assert nothing == 0
    real, none = self_con([z, z + 1], torch.zeros(3).long(), torch.full((3,), UNKNOWN), config())
    (real + none).backward()
    assert none == 0
    assert torch.isfinite(z.grad).all()


def test_cross_entropy_is_the_usual_one_with_the_same_labels():
    untouched = Laundering.of(chance=0, shift=0, turn=0)
    settings = config(objective="cross_entropy", exits=(), laundering=untouched)
    images = data()
    model = ExitEncoder(1, settings, 2)
    origin = torch.from_numpy((labels() != "real").astype(np.int64))
    generator = torch.tensor([{"real": -1, "checks": 0, "stripes": 1}[each] for each in labels()])
    rows = torch.arange(12)
    step = detector_loss(images, origin, generator, settings)(model, rows, torch_generator(0))
    first, second = model(images.batch(rows))
    told = generator[rows] >= 0
    expected = torch.nn.functional.cross_entropy(first, origin[rows])
    expected = expected + torch.nn.functional.cross_entropy(second[told], generator[rows][told])
    torch.testing.assert_close(step.loss, expected)


# the encoder


def test_the_sub_network_comes_before_the_backbone_and_any_size_goes_in():
    settings = config(widths=(8, 16, 32), exits=(2,))
    model = ExitEncoder(1, settings, 2)
    early, full = model.pooled(torch.rand(2, 1, 16, 16))
    assert (early.shape[1], full.shape[1]) == (16, 32)
    assert [tuple(each.shape) for each in model(torch.rand(2, 1, 40, 24))] == [(2, 8), (2, 8)]
    assert len(ExitEncoder(1, config(exits=()), 2)(torch.rand(2, 1, 16, 16))) == 1
    ones = torch.ones(2, 1, 16, 16)
    assert torch.equal(model.features(ones), model.pooled(ones)[-1])


def test_laundering_keeps_its_share_and_its_seed():
    many = torch.from_numpy(pixels(400, kinds=("real",))).float()[:, None]
    none = Laundering.of(chance=0, shift=0, turn=0)
    assert torch.equal(laundered(many, torch_generator(0), none), many)
    half = laundered(many, torch_generator(0), Laundering.of(shift=0, turn=0))
    changed = (half != many).flatten(1).any(1).float().mean()
    assert changed == pytest.approx(0.5, abs=0.08)
    assert torch.equal(half, laundered(many, torch_generator(0), Laundering.of(shift=0, turn=0)))
    turned = laundered(many, torch_generator(0), Laundering.of(chance=0, shift=0, turn=1))
    torch.testing.assert_close(turned, many.flip(3).rot90(1, (2, 3)))
    moved = laundered(many, torch_generator(0), Laundering.of(chance=0, turn=0, shift=0.25))
    assert (moved != many).flatten(1).any(1).float().mean() > 0.8


# the classifiers


def test_classifiers_leave_the_encoder_as_it_was_and_in_evaluation_mode(fitted):
    assert not fitted.encoder.training
    before = {name: each.copy() for name, each in weights_of(fitted.encoder).items()}
    features = torch.from_numpy(fitted.embed(data()))
    head = Head.fresh(features.shape[1], 2, fitted.config, 0, "again")
    head.learn(features, torch.arange(90) % 2, fitted.config, Run(show=False), "again")
    after = weights_of(fitted.encoder)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert not any(each.requires_grad for each in fitted.encoder.parameters())


def test_use_sees_the_features_that_training_saw(fitted):
    features = torch.from_numpy(fitted.embed(data()))
    logits = fitted.origin.network(features).detach().double() / fitted.origin.temperature
    logits[:, 1] += fitted.origin.offset
    np.testing.assert_allclose(fitted.classify(data()), logits.softmax(1).numpy())


def test_calibration_finds_temperature_and_offset():
    g = np.random.default_rng(0)
    margin = g.normal(0, 2, 20_000)
    truth = torch.from_numpy((g.random(20_000) < 1 / (1 + np.exp(-(margin / 4 + 0.5)))).astype(int))
    head = Head(torch.nn.Identity())
    head.network.weight = torch.nn.Parameter(torch.zeros(1))
    logits = torch.from_numpy(np.stack([0 * margin, margin], 1))
    head.calibrate(logits, truth)
    assert head.temperature == pytest.approx(4, rel=0.1)
    assert head.offset == pytest.approx(0.5, abs=0.1)
    assert calibration_error(head(logits)[:, 1], truth.numpy() == 1) < 0.02


def test_held_out_images_of_every_label_train_nothing():
    system = ImagiNet(**KNOBS, held_out=0.3)
    kept, held = system._parts(labels(), 0)
    assert not set(kept) & set(held)
    assert sorted([*kept, *held]) == list(range(90))
    assert {name: int((labels()[held] == name).sum()) for name in NAMES} == dict.fromkeys(NAMES, 9)


# what it learns


@pytest.mark.parametrize("knobs", [{}, {"objective": "cross_entropy", "exits": ()}, {"exits": ()}])
def test_it_tells_real_from_synthetic_and_names_the_generator(knobs, fitted):
    system = fitted if not knobs else ImagiNet(**LONGER | knobs).fit(data(300), run=Run(show=False))
    new = read_images({"x": pixels(seed=1), "kind": labels()}, labels="kind")
    found = system.classified(new)
    right = found["predicted"].to_numpy() == np.where(labels() == "real", "real", "synthetic")
    assert right.mean() > 0.9
    made = labels() != "real"
    assert (found["generator"].to_numpy()[made] == labels()[made]).mean() > 0.75
    assert set(found["generator"].to_numpy()[found["predicted"].to_numpy() == "real"]) == {""}


def test_what_is_less_sure_than_the_threshold_is_unknown(fitted):
    made = labels() != "real"
    before = fitted.threshold
    try:
        fitted.threshold = 1.1
        named = fitted.classified(data())["generator"].to_numpy()[made]
        assert set(named) <= {"unknown", ""}
    finally:
        fitted.threshold = before
    one = np.where(labels() == "checks", "real", labels())
    alone = ImagiNet(**KNOBS).fit(data(), labels=one, run=Run(show=False))
    assert alone.family is None
    assert set(alone.classified(data())["generator"]) <= {"", "unknown"}
    synthetic = np.where(made, "synthetic", "real")
    assert ImagiNet(**KNOBS).fit(data(), labels=synthetic, run=Run(show=False)).generators == ()


def test_the_curve_reports_laundering_and_generators_that_were_not_seen(fitted):
    kinds = (*NAMES, "dots")
    shown = read_images({"x": pixels(80, 2, kinds), "kind": labels(80, kinds)}, labels="kind")
    figures = fitted.evaluated(shown)
    wanted = {"AUC, dots, not seen in training", "AUC, checks", "unseen generator called unknown"}
    assert wanted <= figures.keys()
    for name in ("AUC, jpeg 75", "balanced accuracy, resize 0.5", "AUC, blur 0.02"):
        assert 0 <= figures[name] <= 1
    assert figures["AUC"] > 0.9
    with pytest.raises(InputError, match="expected real and synthetic"):
        fitted.evaluated(shown.take(np.flatnonzero(labels(80, kinds) == "real")))


def test_figures_by_hand():
    made = np.array([False, False, True, True])
    chance = np.array([0.1, 0.7, 0.8, 0.4])
    assert balanced_accuracy(chance, made) == 0.5
    # bins .1 (0 of 1 made), .4 (1 of 1), .7 (0 of 1), .8 (1 of 1), each a fourth
    assert calibration_error(chance, made) == pytest.approx((0.1 + 0.6 + 0.7 + 0.2) / 4)


# the command


def test_folders_of_images_from_fit_to_names(tmp_path, capsys):
    for number, (image, name) in enumerate(zip(pixels(), labels(), strict=True)):
        (tmp_path / "all" / name).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 255).astype(np.uint8))
        picture.save(tmp_path / "all" / name / f"{number}.png")
    flags = ["--widths", "8", "16", "--exits", "1", "--steps", "5", "--batch", "24"]
    asked = ["fit", "imaginet", str(tmp_path / "all"), "--labels", "label", "--head-steps", "5"]
    model, out, figures = (str(tmp_path / name) for name in ("model", "named.csv", "f.json"))
    assert main([*asked, *flags, "--out", model]) == 0
    assert main(["classify", model, str(tmp_path / "all"), "--out", out]) == 0
    table = pl.read_csv(out)
    wanted = ["predicted", "p_real", "p_synthetic", "generator", "p_generator"]
    assert table.columns[-5:] == wanted
    assert (table["p_real"] + table["p_synthetic"]).to_numpy() == pytest.approx(np.ones(90))
    asked = ["evaluate", model, str(tmp_path / "all"), "--labels", "label", "--json", figures]
    assert main(asked) == 0
    assert "AUC, jpeg 40" in json.loads(Path(figures).read_text())
    capsys.readouterr()


def test_the_papers_settings():
    paper = ImagiNetConfig.of(**PRESETS["paper"])
    assert (paper.outputs, paper.temperature, paper.batch, paper.lr) == (128, 0.07, 200, 0.005)
    assert (paper.hidden, paper.dropout, paper.head_lr) == (1024, 0.2, 1e-4)
    assert (paper.origin_weight, paper.generator_weight) == (1, 1)
    assert paper.laundering.quality == (50, 95)
    assert paper.laundering.noise == (3, 10)
    assert (paper.laundering.chance, paper.laundering.turn) == (0.5, 0.33)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: config(exits=(2,)), "expected blocks from 1 to 1"),
        (lambda: config(origin_weight=0, generator_weight=0), "nothing would be learnt"),
        (lambda: Laundering.of(quality=(95, 50)), "expected low to high"),
        (
            lambda: ImagiNet(**KNOBS, real="photo").fit(data()),
            "0 images are labelled 'photo' and 90 otherwise",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(ask, says):
    with pytest.raises(InputError, match=says) as error:
        ask()
    assert "\n" not in str(error.value)


def test_fakes_of_the_experiment_have_the_grey_levels_of_real_images():
    g = np.random.default_rng(0)
    real = np.where(g.random((50, 1, 8, 8)) < 0.4, 0, g.random((50, 1, 8, 8)))
    made = matched(g.normal(3, 1, (50, 1, 8, 8)), real)
    assert made.mean() == pytest.approx(real.mean(), abs=0.01)
    assert made.var() == pytest.approx(real.var(), abs=0.01)
    both = [np.histogram(each, 10, (0, 1))[0] / each.size for each in (made, real)]
    np.testing.assert_allclose(*both, atol=0.02)
