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
from contraview.modalities.images.data import read_images
from contraview.pairing.masks import random_mask
from contraview.systems.selfie import Selfie, SelfieConfig
from contraview.systems.selfie.network import (
    PatchNetwork,
    Positions,
    WholeNetwork,
    cut_patches,
    fresh_choice,
    retake_statistics,
)
from contraview.systems.selfie.pretraining import (
    altered,
    choice_accuracy,
    choice_loss,
    choices,
    cropped,
    pretraining_loss,
)

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

SMALL = {"widths": (8, 16), "strides": (1, 2), "depths": (0, 0), "last_width": 16, "layers": 1}
KNOBS = SMALL | {"steps": 5, "batch": 16, "finetune": {"steps": 5, "batch": 16}}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8)), np.zeros((40, 18, 18)),
           np.zeros((40, 16, 20)), np.zeros((40, 4, 4))),
)  # fmt: skip


def config(**knobs):
    return SelfieConfig.of(**KNOBS | knobs)


def model_of(settings, seed=0):
    return fresh_choice((3, 16, 16), settings, seed)


def pixels(count=6):
    return tiny_images.data().batch(torch.arange(count))


def slopes(count, seed):
    """Images that grow lighter in a direction of their own: the context tells it."""
    g = np.random.default_rng(seed)
    down, across = np.mgrid[:16, :16] / 15 - 0.5
    turn = g.uniform(0, 2 * np.pi, (count, 1, 1))
    light = 0.5 + 0.6 * (np.cos(turn) * down + np.sin(turn) * across)
    noisy = light[..., None] + g.normal(0, 0.03, (count, 16, 16, 3))
    return read_images(noisy.clip(0, 1))


@pytest.fixture(scope="module")
def pretrained():
    """Trained until the choice is much better than chance."""
    knobs = KNOBS | {"steps": 250, "batch": 32, "lr": 4e-3, "views": {"flip": 0, "crop": 0}}
    images = slopes(300, 0)
    return Selfie(**knobs).fit(images, run=Run(seed=0))


# what the card leaves to settle


def test_patches_are_cut_row_by_row():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert cut_patches(image, 2).flatten(2)[0].tolist() == expected


@pytest.mark.parametrize("settings", [{}, {"depths": (0, 2)}])
def test_a_patch_never_sees_its_neighbours(settings):
    model = model_of(config(**settings)).eval()
    patches = cut_patches(pixels(), 4)
    before = model.vectors(patches)
    patches[:, 5] = 1 - patches[:, 5]
    after = model.vectors(patches)
    changed = (after - before).abs().amax((0, 2)) > 0
    assert changed.nonzero().flatten().tolist() == [5]


def test_a_query_sees_no_missing_patch():
    model = model_of(config()).eval()
    patches, hidden = cut_patches(pixels(), 4), torch.zeros(6, 16, dtype=torch.bool)
    hidden[:, [1, 4, 9, 15]] = True
    queries, keys = model(patches, hidden)
    patches[hidden] = 0.5
    again, others = model(patches, hidden)
    assert torch.equal(queries, again)
    assert not torch.equal(keys, others)
    patches[:, 0] = 0.5
    assert not torch.equal(model(patches, hidden)[0], again)


def test_queries_are_the_summary_plus_the_position_and_keys_keep_their_order():
    model = model_of(config())
    patches = cut_patches(pixels(2), 4)
    hidden = torch.zeros(2, 16, dtype=torch.bool)
    hidden[0, [1, 4, 9, 15]] = hidden[1, [0, 2, 3, 7]] = True
    queries, keys = model(patches, hidden)
    vectors, places = model.vectors(patches), model.positions()
    u = model.summary(vectors, ~hidden)
    for row, missing in enumerate([[1, 4, 9, 15], [0, 2, 3, 7]]):
        torch.testing.assert_close(queries[row], u[row] + places[missing])
        torch.testing.assert_close(keys[row], vectors[row, missing])
    order = torch.tensor([[1, 0, 3, 2], [0, 1, 2, 3]])
    shuffled, same = model(patches, hidden, order)
    torch.testing.assert_close(shuffled[0], u[0] + places[[4, 1, 15, 9]])
    assert torch.equal(same, keys)


def test_the_context_can_go_without_positions():
    patches = cut_patches(pixels(2), 4)
    hidden = torch.zeros(2, 16, dtype=torch.bool)
    hidden[:, 12:] = True
    swapped = patches.clone()
    swapped[:, [0, 1]] = patches[:, [1, 0]]
    for place_context in (True, False):
        model = model_of(config(place_context=place_context)).eval()
        found = (model(patches, hidden)[0] - model(swapped, hidden)[0]).abs().max()
        assert (found > 1e-4) == place_context


def test_positions_of_rows_and_columns_are_sums():
    each = Positions(3, 8, "each")()
    assert torch.unique(each, dim=0).shape == (9, 8)
    positions = Positions(3, 8, "rows and columns")
    assert sum(part.numel() for part in positions.parameters()) == 6 * 8
    table = positions().view(3, 3, 8)
    torch.testing.assert_close(table[0, 1] - table[0, 0], table[2, 1] - table[2, 0])


def test_the_loss_by_hand():
    queries = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 1.0]]])
    keys = torch.tensor([[[2.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    logits = choices(queries, keys)
    assert logits.tolist() == [[[2, 1], [0, 2]], [[0, 3], [1, 1]]]  # no scale, no unit vectors
    e = np.exp
    terms = [e(2) / (e(2) + e(1)), e(2) / (e(0) + e(2)), e(0) / (e(0) + e(3)), 0.5]
    assert choice_loss(logits).item() == pytest.approx(-np.log(terms).mean(), rel=1e-6)
    assert choice_accuracy(logits).item() in (0.5, 0.75)  # a tie at the last


def test_candidates_are_of_the_same_image_alone():
    queries = torch.randn(3, 4, 5, generator=torch_generator(0, "q")).requires_grad_()
    keys = torch.randn(3, 4, 5, generator=torch_generator(0, "k")).requires_grad_()
    logits = choices(queries, keys)
    torch.nn.functional.cross_entropy(logits[0], torch.arange(4)).backward()
    assert keys.grad is not None
    assert not keys.grad[1:].any()


def test_a_step_reports_accuracy_chance_and_the_deviation_of_logits():
    settings = config()
    step = pretraining_loss(tiny_images.data(), settings)(
        model_of(settings), torch.arange(12), torch_generator(0, "step")
    )
    assert step.terms["chance"] == 1 / 4
    assert 0 <= float(step.terms["accuracy"]) <= 1
    assert float(step.terms["logit_deviation"]) > 0.05  # neither flat nor ...
    assert float(step.terms["logit_deviation"]) < 20  # ... decided before it begins


def test_masks_hide_a_quarter_of_each_image_anew_at_every_step():
    masks = random_mask(50, 16, config().hidden, torch_generator(0, "mask"))
    assert (masks.sum(1) == config().missing).all()
    assert len(torch.unique(masks, dim=0)) > 40


def test_patches_can_be_cut_and_recoloured_each_by_itself():
    patches = cut_patches(pixels(4), 4)
    plain = altered(patches, config(), torch_generator(0, "a"))
    assert torch.equal(plain, patches)
    smaller = altered(patches, config(patch_crop=1), torch_generator(0, "a"))
    assert smaller.shape == (4, 16, 3, 3, 3)
    one = torch.arange(16.0).view(1, 1, 4, 4).expand(200, 1, 4, 4)
    first = {tuple(each.flatten().tolist()) for each in cropped(one, 3, torch_generator(0, "c"))}
    squares = {
        tuple(one[0, 0, y : y + 3, x : x + 3].flatten().tolist()) for y in (0, 1) for x in (0, 1)
    }
    assert first == squares
    flat = torch.full((1, 16, 3, 4, 4), 0.5)
    colours = altered(flat, config(patch_jitter=0.5), torch_generator(0, "j"))
    assert torch.unique(colours.mean((3, 4))[0], dim=0).shape[0] > 8


def test_strides_that_use_patches_up_are_refused():
    images = tiny_images.data()
    with pytest.raises(
        InputError, match=r"patches of 4 pixels shrink to 1 behind strides \(2, 2\)"
    ):
        Selfie(**KNOBS | {"strides": (2, 2)}).fit(images)
    with pytest.raises(InputError, match="patches of 2 pixels shrink to 1"):
        Selfie(**KNOBS | {"patch_crop": 2}).fit(images)
    with pytest.raises(InputError, match="a side that grid 5 divides: read them with --size 40"):
        Selfie(**KNOBS | {"grid": 5}).fit(images)


def test_no_pixel_of_a_patch_is_stepped_over():
    network = PatchNetwork(1, config(strides=(4, 1), depths=(0, 0)))
    patch = torch.zeros(1, 1, 32, 32, requires_grad=True)
    network.stages[0][0](patch).square().sum().backward()
    weights = network.stages[0][0].weight
    assert weights.shape[-1] == 7
    reach = torch.nn.functional.conv_transpose2d(
        torch.ones(1, 8, 8, 8), torch.ones_like(weights), stride=4, padding=3
    )
    assert (reach > 0).all()


def test_running_statistics_are_taken_anew_on_whole_images():
    settings = config(norm="batch")
    images = tiny_images.data()
    patch = PatchNetwork(3, settings)
    patch.standardise.learn(images)
    layer = patch.stages[0][1]
    layer.running_mean += 5
    retake_statistics(patch, images)
    maps = patch.stages[0][0](patch.standardise(images.batch(torch.arange(60))))
    torch.testing.assert_close(layer.running_mean, maps.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    assert layer.momentum == 0.1
    plain = PatchNetwork(3, config(norm="group"))
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    retake_statistics(plain, images)
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"hidden": 0.05}, "is 1; expected at least 2 missing"),
        ({"hidden": 0.99}, "is 16; expected at least 2 missing, for a choice, and 1"),
        ({"strides": (1,)}, "2 widths, 1 strides"),
        ({"heads": 3}, "3 heads do not divide"),
    ],
)
def test_settings_that_do_not_fit_are_refused(knobs, says):
    with pytest.raises(InputError, match=says):
        config(**knobs)


def test_the_paper_presets_are_resnet_50_on_patches():
    paper = Selfie.preset("paper").config
    assert (paper.grid, paper.missing) == (4, 4)
    assert (paper.layers, paper.heads, paper.feedforward) == (3, 32, 640)
    network = WholeNetwork(PatchNetwork(3, paper), paper)
    assert network.patch.outputs == 1024
    assert network.patch.features(torch.rand(2, 3, 8, 8)).shape == (2, 1024, 2, 2)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 2048)
    weights = sum(each.numel() for each in network.parameters())
    assert weights == pytest.approx(23.5e6, rel=0.02)  # ResNet-50 without its classifier
    large = Selfie.preset("paper-224").config
    assert (large.grid, large.positions) == (7, "rows and columns")
    assert large.missing == 12
    assert PatchNetwork(3, large).features(torch.rand(1, 3, 32, 32)).shape == (1, 1024, 2, 2)


# the system


def test_it_learns_to_choose_on_images_it_never_saw(pretrained):
    others = slopes(200, 1)
    figures = pretrained.patch_choice(others)
    assert figures["chance"] == 0.25
    assert figures["accuracy"] > 0.5
    assert figures == pretrained.patch_choice(others)


def test_shuffled_positions_leave_nothing_to_learn():
    knobs = KNOBS | {"steps": 150, "batch": 32, "lr": 4e-3, "shuffled": True}
    figures = Selfie(**knobs).fit(slopes(200, 0)).patch_choice(slopes(200, 1))
    assert figures["accuracy"] == pytest.approx(0.25, abs=0.08)


def test_fine_tuning_begins_with_the_pretrained_patches_and_leaves_them(pretrained, tmp_path):
    still = {"lr": 1e-9, "steps": 1}
    knobs = KNOBS | {"start": str(pretrained.save(tmp_path / "model")), "finetune": still}
    system = Selfie(**knobs).fit(tiny_images.data(), labels=tiny_images.labels())
    before = dict(pretrained.choice.named_parameters())
    for name, value in system.encoder.patch.named_parameters():
        torch.testing.assert_close(value, before[f"patch.{name}"], atol=1e-6, rtol=0)
    kept = pretrained.choice.state_dict()
    for name, value in system.choice.state_dict().items():
        assert torch.equal(value, kept[name])
    running = system.encoder.patch.stages[0][1].running_mean
    assert not torch.allclose(running, kept["patch.stages.0.1.running_mean"])


def test_without_steps_it_trains_from_scratch_from_the_same_initial_weights():
    scratch = Selfie(**KNOBS | {"steps": 0}).fit(tiny_images.data(), run=Run(seed=3))
    begun = fresh_choice((3, 16, 16), config(), 3).state_dict()
    for name, value in scratch.choice.state_dict().items():
        if "standardise" not in name:
            assert torch.equal(value, begun[name])
    other = fresh_choice((3, 16, 16), config(layers=0), 3).state_dict()
    assert torch.equal(other["patch.stages.0.0.weight"], begun["patch.stages.0.0.weight"])


def test_few_labels_name_new_images():
    few = tiny_images.labels()
    few[18:] = ""
    knobs = KNOBS | {"steps": 20, "finetune": {"steps": 120, "batch": 18, "lr": 4e-3,
                                               "views": {"flip": 0, "crop": 0.5}}}  # fmt: skip
    system = Selfie(**knobs).fit(tiny_images.data(), labels=few, run=Run(seed=0))
    chances = system.classify(read_images(tiny_images.pixels(count=90, seed=1)))
    named = np.array(system.classes)[chances.argmax(1)]
    assert (named == tiny_images.labels(90)).mean() > 0.8


def test_before_labels_it_embeds_and_says_that_it_knows_no_classes(pretrained, tmp_path):
    images = tiny_images.data()
    assert pretrained.embed(images).shape == (60, 16)
    with pytest.raises(InputError, match="learnt no classes"):
        pretrained.classify(images)
    loaded = contraview.load(pretrained.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.embed(images), pretrained.embed(images))
    assert loaded.patch_choice(images) == pretrained.patch_choice(images)
    tuned = loaded.finetune(images, labels=tiny_images.labels())
    again = pretrained.finetune(images, labels=tiny_images.labels())
    np.testing.assert_array_equal(tuned.classify(images), again.classify(images))


def test_the_command_pretrains_then_tunes_from_there(tmp_path, capsys):
    for i, (image, name) in enumerate(zip(tiny_images.pixels(24), tiny_images.labels(24),
                                          strict=True)):  # fmt: skip
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        drawn = (image * 255).astype(np.uint8)
        Image.fromarray(drawn).save(tmp_path / "photos" / name / f"{i}.png")
    photos, model = str(tmp_path / "photos"), str(tmp_path / "model")
    knobs = ["--widths", "8", "16", "--strides", "1", "2", "--depths", "0", "0", "--steps", "3"]
    assert main(["fit", "selfie", photos, "--out", model, *knobs]) == 0
    assert main(["embed", model, photos, "--out", str(tmp_path / "e.csv")]) == 0
    told = ["--labels", "label", "--start", model, "--finetune.steps", "3"]
    assert main(["fit", "selfie", photos, "--out", model + "2", *told]) == 0
    before, after = contraview.load(model), contraview.load(model + "2")
    assert after.config.widths == (8, 16)
    for name, value in before.choice.state_dict().items():
        assert torch.equal(value, after.choice.state_dict()[name])
    assert main(["classify", model + "2", photos, "--out", str(tmp_path / "c.csv")]) == 0
    named = pl.read_csv(tmp_path / "c.csv")
    assert named.columns == ["file", "label", "predicted", *(f"p_{n}" for n in tiny_images.NAMES)]
    capsys.readouterr()
    assert main(["fit", "selfie", photos, "--out", model + "3", "--grid", "3"]) == 2
    assert "a side that grid 3 divides" in capsys.readouterr().err
