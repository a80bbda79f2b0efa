import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.apps.cli import main
from contraview.claims.softcon import flipped, mosaics
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.evaluation.multi_label import multi_label_map
from contraview.modalities.images.bands import read_bands
from contraview.modalities.images.data import read_images
from contraview.objectives.soft_contrast import soft_contrast
from contraview.systems.softcon import SoftCon, SoftConConfig
from contraview.systems.softcon.masking import with_mask
from contraview.systems.softcon.softcon import SoftTerm, seasons
from contraview.training.collapse import effective_rank

sys.path.insert(0, str(Path(__file__).parent))
import tiny_bands
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "hidden": 16, "outputs": 8, "queue": 40}
TINY = Tiny(
    tiny_bands.data,
    KNOBS,
    labels=tiny_bands.labels,
    ask={"search": lambda system: system.search(tiny_bands.data(), among=tiny_bands.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


def fitted(**knobs):
    made = SoftCon(**KNOBS | knobs)
    return made.fit(tiny_bands.data(), labels=tiny_bands.labels(), run=Run(seed=0))


def method_of(system, labels):
    bands = tiny_bands.data()
    system._weak = torch.from_numpy(labels).float()
    system.scale = fitted(steps=1).scale
    images = system.images_of(bands)
    return system.method(system.fresh_encoder(images, 0), images, Run(seed=0))


@pytest.mark.parametrize("between", ["student", "teacher"])
def test_the_loss_is_infonce_and_l_times_the_soft_contrast(between):
    system = SoftCon(**KNOBS, soft_weight=2.5, soft_between=between)
    method = method_of(system, tiny_bands.hot())
    seen = []
    method.model.contrast.register_forward_hook(lambda _, __, pairs: seen.append(pairs))
    step = method.loss(method.model, torch.arange(16), torch_generator(0))
    labels = torch.from_numpy(tiny_bands.hot()[:16]).float()
    one, other = seen[0]
    compared = [(one.queries, other.queries)] if between == "student" else [one, other]
    soft = torch.stack([soft_contrast(*pair, labels, labels, 0.2) for pair in compared]).mean()
    torch.testing.assert_close(step.terms["soft contrast"], soft)
    torch.testing.assert_close(step.loss, step.terms["pairs"] + 2.5 * soft)
    assert not one.keys.requires_grad
    assert not other.keys.requires_grad


def test_against_a_teacher_an_untrained_student_flees_to_one_direction():
    rank = {}
    for between in ("student", "teacher"):
        system = SoftCon(**KNOBS | {"outputs": 16, "steps": 60}, soft_between=between)
        method = method_of(system, tiny_bands.hot())
        optimiser = torch.optim.Adam(
            [p for p in method.model.parameters() if p.requires_grad], lr=2e-3
        )
        for done in range(60):
            step = method.loss(method.model, torch.arange(60), torch_generator(done))
            optimiser.zero_grad()
            step.loss.backward()
            optimiser.step()
            method.after_step(method.model, done + 1)
        rank[between] = effective_rank(step.embeddings)
    assert rank["teacher"] < 0.7 * rank["student"], rank


def test_images_without_labels_take_part_in_infonce_alone():
    hot = tiny_bands.hot()
    hot[:16] = False
    method = method_of(SoftCon(**KNOBS), hot)
    step = method.loss(method.model, torch.arange(16), torch_generator(0))
    assert step.terms["soft contrast"] == 0
    step.loss.backward()
    some = hot.copy()
    some[::2] = False
    labels = np.where(some.any(1), tiny_bands.labels(), "")
    SoftCon(**KNOBS | {"steps": 2}).fit(tiny_bands.data(), labels=labels, run=Run(seed=0))


def test_the_target_of_two_scenes_is_the_cosine_of_their_labels():
    """Scenes that share one class of two: s is 1 / 2, and a cosine of 0 is already right."""
    term = SoftTerm(torch.tensor([[1.0, 1, 0], [0, 1, 1]]), SoftConConfig.of())
    (labels,) = term.inputs(torch.tensor([1, 0]), torch_generator(0))
    assert labels.tolist() == [[0, 1, 1], [1, 1, 0]]
    x = torch.zeros((), requires_grad=True)
    q = torch.stack([x.cos(), x.sin()])[None]
    loss = soft_contrast(q, torch.tensor([[0.0, 1.0]]), labels[:1], labels[1:], 1.0)
    slope = torch.autograd.grad(loss, x)[0]
    assert slope.item() == pytest.approx(0, abs=1e-6)  # sigmoid(0) - s


def test_the_student_sees_a_masked_view_and_the_teacher_all_of_it():
    method = method_of(SoftCon(**KNOBS, masked=0.5), tiny_bands.hot())
    contrast = method.model.contrast
    seen = {"student": [], "teacher": []}
    for name, network in (
        ("student", contrast.student.network),
        ("teacher", contrast.student.teacher),
    ):
        network[0].register_forward_hook(
            lambda _, inputs, __, name=name: seen[name].append(inputs[0])
        )
    method.loss(method.model, torch.arange(16), torch_generator(0))
    filling = contrast.filling
    for student, teacher in zip(seen["student"], seen["teacher"], strict=True):
        hidden = (student == filling).all(1)
        assert 0.45 < hidden.float().mean() < 0.55
        assert torch.equal(
            student.permute(0, 2, 3, 1)[~hidden], teacher.permute(0, 2, 3, 1)[~hidden]
        )
        assert ((teacher == filling).all(1)).float().mean() < 0.05


def test_masks_hide_exactly_their_share_of_patches_each_image_its_own():
    pixels = torch.rand((6, 2, 10, 14))
    masked = with_mask(pixels, 0.25, 4, torch_generator(0))
    assert torch.equal(masked[:, :2], pixels)
    corners = masked[:, 2, ::4, ::4]
    assert ((corners == 0).sum((1, 2)) == 3).all()  # a quarter of 3 x 4
    assert (corners != corners[0]).any()
    assert (masked[:, 2, :4, :4] == masked[:, 2, :1, :1]).all()
    assert (with_mask(pixels, 0.0, 4, torch_generator(0))[:, 2] == 1).all()


def test_test_images_go_through_the_numbers_of_the_fit_also_after_loading(tmp_path):
    system = fitted()
    np.testing.assert_allclose(
        system.scale.low,
        tiny_bands.values().mean((0, 2, 3)) - 2 * tiny_bands.values().std((0, 2, 3)),
    )
    loaded = contraview.load(system.save(tmp_path / "model"))
    dark = tiny_bands.values(20, seed=3) // 2  # not standardised by its own mean
    np.testing.assert_array_equal(loaded.embed(dark), system.embed(dark))
    assert not np.allclose(system.embed(dark), system.embed(tiny_bands.values(20, seed=3)))


def test_classes_have_probabilities_of_their_own_and_are_found():
    system = SoftCon(**KNOBS | {"steps": 150, "widths": (16, 32)}, probe_c=1.0)
    system.fit(tiny_bands.data(), labels=tiny_bands.labels(), run=Run(seed=0))
    assert system.classes == tiny_bands.NAMES
    fresh = tiny_bands.values(70, seed=1)
    found = system.classify(fresh)
    assert found.shape == (70, 3)
    assert not np.allclose(found.sum(1), 1)
    assert multi_label_map(tiny_bands.hot(70), found) > 0.9


def test_another_season_of_the_same_place_is_the_second_view():
    places = np.array(["a", "b", "a", "", "b", "a", ""])
    others = seasons(places)
    rows = torch.arange(7).repeat(50)
    drawn = others(rows, torch_generator(0))
    assert (places[drawn.numpy()] == places[rows.numpy()]).all()
    assert set(drawn[rows == 0].tolist()) == {2, 5}
    assert set(drawn[rows == 1].tolist()) == {4}
    assert set(drawn[rows == 3].tolist()) == {3}
    bands = read_bands({"x": tiny_bands.values(), "place": np.arange(60) // 7,
                        "cover": tiny_bands.labels()}, labels="cover")  # fmt: skip
    SoftCon(**KNOBS | {"steps": 2}, place="place").fit(
        bands, labels=bands.labels(), run=Run(seed=0)
    )
    with pytest.raises(InputError, match="no column 'town'"):
        SoftCon(**KNOBS, place="town").fit(bands, labels=bands.labels())


def test_what_does_not_fit_is_named_before_anything_is_trained():
    with pytest.raises(InputError, match="learns from weak labels"):
        SoftCon(**KNOBS).fit(tiny_bands.data())
    system = fitted(steps=1)
    with pytest.raises(InputError, match="3 bands; expected 5"):
        system.embed(tiny_bands.values()[:, :3])
    with pytest.raises(InputError, match="16 pixels"):
        system.embed(tiny_bands.values(8, size=20))


def test_the_command_names_several_classes_and_judges_them(tmp_path, capsys):
    np.savez(tmp_path / "scenes.npz", x=tiny_bands.values(), cover=tiny_bands.labels())
    scenes, model, out = (str(tmp_path / name) for name in ("scenes.npz", "model", "named.csv"))
    sizes = ["--widths", "8", "16", "--steps", "30", "--batch", "16", "--probe-c", "1"]
    kept = ["--bands", "5", "2", "1", "--size", "12"]
    assert main(["fit", "softcon", scenes, "--labels", "cover", "--out", model, *sizes, *kept]) == 0
    assert main(["classify", model, scenes, "--out", out]) == 0
    named = pl.read_csv(out)
    assert {"predicted", "p_across", "p_down", "p_slanted"} <= set(named.columns)
    row = named.row(0, named=True)
    likely = [name for name in tiny_bands.NAMES if row[f"p_{name}"] >= 0.5]
    assert (row["predicted"] or "") == ";".join(likely)
    capsys.readouterr()
    assert main(["evaluate", model, scenes, "--labels", "cover"]) == 0
    figures = capsys.readouterr().out
    assert "mAP" in figures
    assert "average precision, slanted" in figures


def test_mosaics_hold_what_their_labels_say_and_labels_flip():
    pixels = np.repeat(np.arange(4, dtype=np.uint8) * 60, 3)[:, None, None] * np.ones((28, 28))
    source = read_images(
        {"x": pixels.astype(np.uint8), "kind": np.repeat(list("abcd"), 3)}, labels="kind"
    )
    made = mosaics(source, 50, np.random.default_rng(0))
    kinds = made.pixels[:, 0, ::14, ::14].reshape(50, 4) // 60
    for items, label in zip(kinds, made.labels(), strict=True):
        assert ";".join(sorted({"abcd"[k] for k in items})) == label
    assert {len(set(items)) for items in kinds.tolist()} == {1, 2, 3, 4}
    truth = np.zeros((1000, 10), bool)
    assert 0.08 < flipped(truth, np.random.default_rng(0)).mean() < 0.12
