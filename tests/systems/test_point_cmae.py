"""Point-CMAE: its losses by hand, its masks, and what the official code gets wrong."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.clouds.data import CloudSource, read_clouds
from contraview.modalities.clouds.patches import patches
from contraview.objectives.chamfer import chamfer
from contraview.pairing.masks import random_mask
from contraview.systems.point_cmae import PointCmae, PointCmaeConfig
from contraview.systems.point_cmae.network import fresh_autoencoder
from contraview.systems.point_cmae.pretraining import consistency

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

LABELS = np.array(["ball", "stick", "sheet"])[np.arange(36) % 3]


def clouds():
    """Balls, sticks and sheets of other sizes each."""
    generator = numpy_generator(0, "tiny clouds")
    stretch = {"ball": (1, 1, 1), "stick": (1, 0.1, 0.1), "sheet": (1, 1, 0.05)}
    drawn = [
        generator.normal(size=(48, 3)) * stretch[label] * generator.uniform(0.5, 2, 3)
        for label in LABELS
    ]
    return read_clouds(np.stack(drawn), points=48)


KNOBS = {
    "patches": 8, "patch_points": 6, "width": 16, "patch_width": 4, "depth": 2, "heads": 2,
    "steps": 12, "batch": 8,
}  # fmt: skip
TINY = Tiny(
    clouds, KNOBS, labels=lambda: LABELS, wrong=("no/such/file.obj", "", [], 3.5, np.zeros((3, 40)))
)


@pytest.fixture(scope="module")
def fitted():
    return PointCmae(**KNOBS).fit(clouds(), labels=LABELS, run=Run(seed=0))


def test_it_names_shapes_that_it_was_told_the_classes_of(fitted):
    shares = fitted.classify(clouds())
    assert fitted.classes == ("ball", "sheet", "stick")
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (np.asarray(fitted.classes)[shares.argmax(1)] == LABELS).mean() > 0.9


def test_a_model_that_learnt_classes_reads_files_without_any(tmp_path):
    np.savez(tmp_path / "known.npz", points=clouds().points, kind=LABELS)
    np.save(tmp_path / "new.npy", clouds().points)
    system = PointCmae(**KNOBS)
    system.source = CloudSource(points=48, labels="kind")
    known = system.read(tmp_path / "known.npz")
    system.fit(known, labels=known.labels())
    assert system.classify(tmp_path / "new.npy").shape == (36, 3)


def test_place_size_and_order_of_the_points_do_not_matter(fitted):
    points = clouds().points
    order = numpy_generator(0, "order").permutation(48)
    altered = (points[:, order] * 5 + 2).astype(np.float32)
    fitted.source = CloudSource(points=48)
    found = fitted.embed(read_clouds(altered, points=48))
    np.testing.assert_allclose(found, fitted.embed(clouds()), atol=1e-3)


def test_a_shape_vector_does_not_hang_on_its_batch(fitted):
    alone = np.concatenate([fitted.embed(clouds().take([i])) for i in range(3)])
    np.testing.assert_allclose(alone, fitted.embed(clouds())[:3], atol=1e-5)


def test_consistency_by_hand_over_what_both_masks_hide():
    one = torch.tensor([[[1.0, 0], [0, 2], [3, 0]]])
    other = torch.tensor([[[1.0, 0], [1, 0], [0, -1]]])
    both = torch.tensor([[True, True, False]])
    # the same place: 1 - 1 and 1 - 0, mean over the two
    assert consistency(one, other, both, "same").item() == pytest.approx(0.5)
    # every place: first token 0, 0, 1 and second 1, 1, 2, mean over six pairs
    assert consistency(one, other, both, "all").item() == pytest.approx(5 / 6)


def test_the_official_match_draws_a_token_to_tokens_of_other_places():
    generator = torch_generator(0, "tokens")
    one = torch.randn(2, 5, 4, generator=generator)
    both = torch.tensor([[True, False, False, False, False]] * 2)
    moved = one.clone()
    moved[:, 1:] = torch.randn(2, 4, 4, generator=generator)
    assert consistency(one, moved, both, "same").item() == pytest.approx(0, abs=1e-6)
    assert consistency(one, moved, both, "all") != consistency(one, one, both, "all")


def test_nothing_hidden_twice_is_no_loss_and_no_nan():
    tokens = torch.randn(2, 3, 4, requires_grad=True)
    loss = consistency(tokens, tokens, torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert tokens.grad is not None
    assert (tokens.grad == 0).all()


def test_two_masks_hide_sixty_percent_each_and_a_third_together():
    generator = torch_generator(0, "masks")
    one, other = (random_mask(4000, 64, 0.6, generator) for _ in range(2))
    assert (one.sum(1) == 38).all()
    assert (one & other).float().mean().item() == pytest.approx((38 / 64) ** 2, abs=0.01)


def branches(**knobs):
    config = PointCmaeConfig(**{**KNOBS, **knobs})
    network = fresh_autoencoder(config, 0).eval()
    points = torch.from_numpy(clouds().points)[:4]
    hidden = [random_mask(4, 8, 0.6, torch_generator(0, "mask", i)) for i in range(config.masks)]
    copies = [points] * (2 if config.contrast == "clouds" else 1)
    return network, points, hidden, network(copies, hidden)


def test_what_is_rebuilt_is_the_hidden_patches_and_nothing_else():
    _, points, hidden, found = branches()
    groups, _ = patches(points, 8, 6)
    for branch, mask in zip(found, hidden, strict=True):
        torch.testing.assert_close(branch.truth, groups[mask])
        assert branch.rebuilt.shape == branch.truth.shape == (4 * 5, 6, 3)
        assert branch.decoded.shape == (4, 8, 16)
        assert chamfer(branch.rebuilt, branch.truth) > 0


def test_hidden_points_cannot_reach_the_encoder():
    network, points, hidden, _ = branches()
    groups, centres = patches(points, 8, 6)
    noise = torch.where(hidden[0][:, :, None, None], torch.randn_like(groups), groups)
    encoder = network.encoder
    seen = [
        encoder.encode(encoder.patch(g), encoder.place(centres), ~hidden[0], 0)
        for g in (groups, noise)
    ]
    torch.testing.assert_close(*seen)


def test_the_decoders_have_weights_of_their_own_and_the_encoder_is_shared():
    network, _, _, found = branches()
    one, other = (set(map(id, decoder.parameters())) for decoder in network.decoders)
    assert not one & other
    assert not torch.allclose(found[0].decoded, found[1].decoded)


def test_tokens_of_a_decoder_stand_at_their_own_places():
    network, points, hidden, found = branches()
    again = network([points], [hidden[0], hidden[0]])
    torch.testing.assert_close(again[0].decoded, found[0].decoded)
    shifted = network([points.flip(0)], [hidden[0].flip(0), hidden[1].flip(0)])
    torch.testing.assert_close(shifted[0].decoded.flip(0), found[0].decoded, atol=1e-5, rtol=1e-4)


def test_one_mask_is_point_mae_with_one_decoder_from_the_same_start():
    both, one = (fresh_autoencoder(PointCmaeConfig(**{**KNOBS, **k}), 3)
                 for k in ({}, {"masks": 1, "contrast": "none"}))  # fmt: skip
    assert len(one.decoders) == 1
    for a, b in zip(both.encoder.parameters(), one.encoder.parameters(), strict=True):
        assert torch.equal(a, b)
    PointCmae(**KNOBS, masks=1, contrast="none").fit(clouds())


def test_class_tokens_are_one_a_branch_and_only_where_asked_for():
    network, _, _, _ = branches(pooling="cls_max")
    assert network.encoder.start.shape == (2, 2, 16)
    assert fresh_autoencoder(PointCmaeConfig(**KNOBS), 0).encoder.start is None


def test_the_projector_exists_only_where_something_is_projected():
    network, _, _, found = branches(contrast="clouds")
    assert network.projector is not None
    assert found[0].shape.shape == (4, 32)
    assert found[0].projected.shape == (4, 256)
    plain, _, _, without = branches()
    assert plain.projector is None
    assert without[0].projected is None


@pytest.mark.parametrize(
    "knobs",
    [{"contrast": "clouds"}, {"match": "all"}, {"contrast": "none"}, {"pooling": "cls_max"},
     {"drop_path": 0.2}],
)  # fmt: skip
def test_every_choice_trains_and_comes_back_from_disk(knobs, tmp_path):
    system = PointCmae(**{**KNOBS, "steps": 3}, **knobs).fit(clouds(), labels=LABELS)
    again = contraview.load(system.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.embed(clouds()), system.embed(clouds()))
    np.testing.assert_array_equal(again.classify(clouds()), system.classify(clouds()))


def test_the_loss_is_a_thousand_chamfers_and_the_consistency_and_falls(tmp_path):
    losses = {}
    for count in (1, 60):
        run = Run(tmp_path / str(count), seed=0, show=False)
        PointCmae(**{**KNOBS, "steps": count}).fit(clouds(), run=run)
        last = [event for event in run.events() if event["kind"] == "step"][-1]
        wanted = 1000 * last["terms"]["chamfer"] + last["terms"]["consistency"]
        assert last["loss"] == pytest.approx(wanted, rel=1e-3)
        losses[count] = last["loss"]
    assert losses[60] < 0.8 * losses[1]


PAPER = {
    "patches": 64, "patch_points": 32, "width": 384, "patch_width": 128, "depth": 12,
    "decoder_depth": 4, "heads": 6, "drop_path": 0.1, "pooling": "cls_max", "masks": 2,
    "mask_ratio": 0.6, "contrast": "tokens", "match": "all", "reconstruction": 1000.0,
    "contrast_weight": 1.0, "scale": 1.5, "shift": 0.2, "steps": None, "epochs": 300,
    "batch": 128, "lr": 1e-3, "warmup": 10 / 300, "weight_decay": 0.05, "projection": 256,
}  # fmt: skip


@pytest.mark.parametrize("knob", PAPER)
def test_the_paper_preset_has_the_official_settings(knob):
    assert getattr(PointCmae.preset("paper").config, knob) == PAPER[knob]


def test_the_paper_preset_has_the_official_number_of_steps_and_weights():
    config = PointCmae.preset("paper").config
    assert config.total_steps(41_952) == 300 * 327
    encoder = fresh_autoencoder(config, 0).encoder
    assert 21.5e6 < sum(p.numel() for p in encoder.parameters()) < 22.5e6


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"masks": 1}, "one mask has nothing to agree with"),
        ({"steps": None}, "exactly one of steps and epochs"),
        ({"width": 18, "heads": 4}, "4 heads do not divide a width of 18"),
        ({"patches": 2, "mask_ratio": 0.1}, "hides none or all of 2 patches"),
    ],
)
def test_settings_that_do_not_fit_are_refused(knobs, says):
    with pytest.raises(InputError, match=says):
        PointCmae(**knobs)


def test_data_and_labels_that_do_not_fit_are_refused_before_training(fitted):
    with pytest.raises(InputError, match="clouds of 20 points; expected at least 24"):
        PointCmae().fit(read_clouds(clouds().points[:, :20], points=20))
    with pytest.raises(InputError, match="4 clouds to learn from; expected at least 8"):
        PointCmae(**KNOBS).fit(clouds().take(range(4)))
    with pytest.raises(InputError, match="2 labels for 36 clouds"):
        PointCmae(**KNOBS).fit(clouds(), labels=["a", "b"])
    with pytest.raises(InputError, match="1 class among the labels"):
        PointCmae(**KNOBS).fit(clouds(), labels=["a"] * 36)
    with pytest.raises(InputError, match="learnt no classes"):
        PointCmae(**{**KNOBS, "steps": 1}).fit(clouds()).classify(clouds())
