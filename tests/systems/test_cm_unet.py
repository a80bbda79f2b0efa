import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.modalities.images.data import Images, read_images
from contraview.modalities.images.masks import with_masks
from contraview.modalities.images.nets import Standardise
from contraview.pairing.ema import follow, teacher_of
from contraview.systems.cm_unet import CmUnet
from contraview.systems.cm_unet.config import PRESETS, CmUnetConfig
from contraview.systems.cm_unet.pretraining import (
    Hidden,
    Pretraining,
    contrast,
    fresh_parts,
    pretraining_loss,
    shifted,
    with_noise,
)

sys.path.insert(0, str(Path(__file__).parent))
import tiny

KNOBS = {
    "widths": (4, 8),
    "crop": 16,
    "patch": 4,
    "shift": 3,
    "hidden": 8,
    "outputs": 4,
    "steps": 3,
    "batch": 4,
    "finetune_steps": 15,
    "finetune_lr": 0.02,
    "finetune_batch": 4,
}


def drawings(count=6, side=24, seed=0):
    """Dark lines on a noisy ground, and where they are; the last two images have no mask."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((count, side, side), np.uint8)
    for mask in masks:
        mask[generator.integers(2, side - 4) :][:2] = 1
        mask[:, generator.integers(2, side - 4) :][:, :2] = 1
    noise = generator.integers(0, 40, masks.shape)
    images = read_images((180 - 100 * masks + noise).astype(np.uint8))
    return with_masks(images, [*masks[:-2], None, None], "masks")


TINY = tiny.Tiny(data=drawings, knobs=KNOBS)


def config(**knobs):
    return CmUnetConfig.of(**KNOBS | knobs)


def model_of(settings, seed=0):
    return Pretraining(settings, *fresh_parts(settings, 1, seed), seed)


@pytest.fixture(scope="module")
def fitted():
    return CmUnet(**KNOBS).fit(drawings(), run=Run(seed=0))


def test_the_paper_preset_has_the_papers_values():
    paper = PRESETS["paper"]
    assert paper["widths"] == (64, 128, 256, 512, 1024)
    assert paper["mask_ratio"] == 0.65
    assert paper["patch"] == 16
    assert paper["crop"] == 256
    assert paper["area"] == (0.2, 1.0)
    assert paper["shift"] == 31
    assert paper["noise"] == (0.1, 2.0)
    assert paper["temperature"] == 0.07
    assert paper["momentum"] == 0.996
    assert (paper["hidden"], paper["outputs"]) == (1536, 256)
    assert paper["batch"] == 256
    assert paper["lr"] == pytest.approx(1.5e-4 * 256 * 16 / 256)
    assert paper["warmup"] == pytest.approx(40 / 300)
    assert paper["weight_decay"] == 0.05
    assert paper["epochs"] == 300


# the traps of the official code


def test_each_sample_is_hidden_by_its_own_mask_in_input_and_loss():
    hidden = Hidden.draw(8, config(), torch_generator(0, "masks"))
    assert torch.equal(hidden.seen_by_network, hidden.counted_in_loss)
    assert len({mask.numpy().tobytes() for mask in hidden.counted_in_loss}) > 1
    assert (hidden.counted_in_loss.float().mean((1, 2, 3)) == round(0.65 * 16) / 16).all()


def test_the_official_shared_mask_hides_the_same_in_all_and_counts_each_its_own():
    hidden = Hidden.draw(8, config(shared_mask=True), torch_generator(0, "masks"))
    assert all(torch.equal(each, hidden.seen_by_network[0]) for each in hidden.seen_by_network)
    assert not torch.equal(hidden.seen_by_network, hidden.counted_in_loss)


def test_the_network_sees_zeros_where_the_loss_counts(monkeypatch):
    seen = {}

    class Spy(torch.nn.Module):
        def forward(self, masked, target):
            seen.update(masked=masked, target=target)
            return torch.zeros_like(masked, requires_grad=True), None, None

    def remember(drawn, online, hidden, **rest):
        seen["hidden"], seen["online"] = hidden, online
        return drawn.sum()

    monkeypatch.setattr("contraview.systems.cm_unet.pretraining.masked_mse", remember)
    images = drawings()
    standardise = Standardise(1)
    standardise.learn(images)
    loss = pretraining_loss(images, standardise, config())
    loss(Spy(), torch.arange(4), torch_generator(0, "step"))
    assert (seen["masked"][seen["hidden"]] == 0).all()
    visible = ~seen["hidden"]
    assert torch.equal(seen["masked"][visible], seen["online"][visible])
    assert seen["masked"].shape == seen["target"].shape == (4, 1, 16, 16)


def test_the_teachers_layer_is_the_same_at_every_step_and_is_not_trained():
    model = model_of(config())
    target = torch.randn(3, 1, 16, 16)
    assert torch.equal(model.keys(target), model.keys(target))
    assert not model.layout.weight.requires_grad
    assert "layout.weight" in model.state_dict()  # a resumed run has the same one
    assert not torch.equal(model_of(config(), seed=1).layout.weight, model.layout.weight)


def test_any_size_will_do():
    for size in (16, 24, 40):
        model = model_of(config(crop=size))
        drawn, queries, keys = model(*torch.randn(2, 3, 1, size, size))
        assert drawn.shape == (3, 1, size, size)
        assert queries.shape == keys.shape == (3, 4)


def test_shifted_views_show_the_same_place_and_say_where():
    windows = torch.randn(20, 1, 19, 19)
    views = shifted(windows, 16, torch_generator(0, "shift"))
    assert views.offset.min() == 0
    assert views.offset.max() == 3
    for online, target, (down, right) in zip(
        views.online, views.target, views.offset.tolist(), strict=True
    ):
        assert torch.equal(target[:, : 16 - down, : 16 - right], online[:, down:, right:])


def test_noise_comes_to_some_targets_in_grey_levels():
    spread = torch.full((1, 1, 1, 1), 0.5)
    settings = config(noise=(2.0, 2.0), noise_chance=0.5)
    noisy = with_noise(torch.zeros(400, 1, 16, 16), spread, settings, torch_generator(0, "n"))
    touched = noisy.abs().amax((1, 2, 3)) > 0
    assert touched.float().mean() == pytest.approx(0.5, abs=0.1)
    assert noisy[touched].std() * 255 * 0.5 == pytest.approx(2, rel=0.05)


# contrast and teacher


def test_contrast_by_hand():
    queries = torch.eye(2)
    keys = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    tau = 0.5
    logits = queries @ keys.T / tau
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(2)) * 2 * tau
    assert contrast(queries, keys, tau) == pytest.approx(float(expected))


def test_the_gradient_of_the_contrast_reaches_the_student_alone():
    images, settings = drawings(), config(reconstruction=0.0)
    standardise = Standardise(1)
    standardise.learn(images)
    model = model_of(settings)
    loss = pretraining_loss(images, standardise, settings)
    step = loss(model, torch.arange(4), torch_generator(0, "step"))
    step.loss.backward()
    trained = {name for name, each in model.named_parameters() if each.grad is not None}
    assert any(name.startswith("encoder.") for name in trained)
    assert any(name.startswith("features.") for name in trained)
    assert any(name.startswith("predictor.") for name in trained)
    assert not any(name.startswith(("teacher", "layout", "pixels")) for name in trained)


def test_the_teacher_is_the_moving_average():
    model = model_of(config())
    by_hand = teacher_of(model.encoder)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(1.0)
    model.follow(0.9)
    follow(by_hand, model.encoder, 0.9)
    pairs = zip(model.teacher_encoder.parameters(), by_hand.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    first, student = next(model.teacher_encoder.parameters()), next(model.encoder.parameters())
    torch.testing.assert_close(first, student - 0.9)


def test_each_half_can_be_left_out():
    drawn, queries, keys = model_of(config(contrast=0.0))(*torch.randn(2, 2, 1, 16, 16))
    assert drawn is not None
    assert queries is keys is None
    drawn, queries, _ = model_of(config(reconstruction=0.0))(*torch.randn(2, 2, 1, 16, 16))
    assert drawn is None
    assert queries is not None
    with pytest.raises(InputError, match="both left out"):
        config(contrast=0.0, reconstruction=0.0)


# the system


def test_it_learns_to_find_the_lines():
    images = drawings(8, side=32)
    knobs = {"steps": 5, "finetune_steps": 60, "finetune_lr": 0.02}
    system = CmUnet(**KNOBS | knobs).fit(images.take(range(6)))
    found = np.stack(system.segment(images))[:4]
    assert images.masks is not None
    agreed = 2 * (found * images.masks[:4]).sum() / (found.sum() + images.masks[:4].sum())
    assert agreed > 0.7


def test_masks_keep_their_numbers_and_other_sizes_go_in(fitted):
    images = drawings()
    assert images.masks is not None
    thirds = Images(images.pixels, images.table, masks=images.masks * 3)
    thirds.masks[0, :3] = 7
    found = CmUnet(**KNOBS).fit(thirds).segment(thirds)
    assert set(np.unique(np.stack(found))) <= {0, 3, 7}
    larger = drawings(3, side=37)
    assert [mask.shape for mask in fitted.segment(larger)] == [(37, 37)] * 3


def test_colour_images_are_drawn_in_colour():
    grey = drawings()
    colour = Images(grey.pixels.repeat(3, axis=1), grey.table, masks=grey.masks)
    system = CmUnet(**KNOBS).fit(colour)
    assert system.pixels.last.out_channels == 4
    assert len(system.segment(colour)) == 6


def test_masks_can_be_given_beside_the_images_or_later():
    images = drawings()
    plain = Images(images.pixels, images.table)
    masks = [*images.masks[:4], None, None]
    together = CmUnet(**KNOBS).fit(plain, labels=masks).segment(plain)
    later = CmUnet(**KNOBS).fit(plain).finetune(plain, labels=masks).segment(plain)
    assert all(map(np.array_equal, together, later))


def test_without_masks_it_says_so():
    images = drawings()
    system = CmUnet(**KNOBS).fit(Images(images.pixels, images.table))
    with pytest.raises(InputError, match="learnt no masks; fit with masks, or call finetune"):
        system.segment(images)
    with pytest.raises(InputError, match="no image has a mask"):
        system.finetune(Images(images.pixels, images.table))
    with pytest.raises(InputError, match="background \\(0\\) alone"):
        system.finetune(images, labels=np.zeros((6, 24, 24), int))


def test_images_of_other_colour_are_refused(fitted):
    grey = drawings()
    with pytest.raises(InputError, match="images of 3 channels; expected 1"):
        fitted.segment(grey.pixels.repeat(3, axis=1))


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"crop": 18}, "crop 18 is not a multiple of 2"),
        ({"area": (0.5, 0.1)}, "no range of shares"),
        ({"noise": (2.0, 1.0)}, "is no range"),
        ({"epochs": 3}, "exactly one of steps and epochs"),
    ],
)
def test_settings_that_do_not_fit_are_refused(knobs, says):
    with pytest.raises(InputError, match=says):
        config(**knobs)
