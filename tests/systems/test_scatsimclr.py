import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.modalities.images.data import read_images
from contraview.systems.scatsimclr import ScatSimCLR
from contraview.systems.scatsimclr.pretext import ORDERS, Jigsaw, orders
from contraview.systems.scatsimclr.scattering import Scattering
from contraview.systems.scatsimclr.view_cache import ViewCache

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {
    "widths": (8,), "stem": 8, "grid": 2, "steps": 10, "batch": 16, "hidden": 16, "outputs": 8,
    "pretext_widths": (16, 8), "cached_views": 3, "queue": 40,
}  # fmt: skip
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8)), np.zeros((20, 15, 16))),
)
IMAGES = torch.rand((4, 1, 16, 16), generator=torch_generator(3))


def method_of(images=None, **knobs):
    images = tiny_images.data() if images is None else images
    system = ScatSimCLR(**KNOBS | knobs)
    return system.method(system.fresh_encoder(images, 0), images, Run(seed=0))


# The scattering transform.


@pytest.mark.parametrize(("scales", "turns"), [(1, 4), (2, 4), (2, 8), (3, 2)])
def test_there_are_as_many_maps_as_the_formula_says_on_a_grid_2_to_the_j_smaller(scales, turns):
    made = Scattering(16, 32, scales=scales, turns=turns)
    assert made.maps == 1 + turns * scales + turns**2 * scales * (scales - 1) // 2
    found = made(torch.rand(2, 3, 16, 32))
    assert found.shape == (2, 3 * made.maps, 16 >> scales, 32 >> scales)


def test_the_papers_own_size():
    assert Scattering(16, 16, scales=2, turns=16).maps * 3 == 867


def gauss(size, sigma, centre):
    places = torch.arange(size, dtype=torch.float64) - centre
    values = torch.exp(-places.square() / (2 * sigma**2))
    return values / (sigma * math.sqrt(2 * math.pi))


def test_the_average_is_a_gaussian_at_the_middle_of_each_block():
    padded = torch.nn.functional.pad(IMAGES.double(), (4,) * 4, mode="reflect")[:, 0]
    weights = torch.stack([gauss(24, 1.6, 4 + 4 * block + 1.5) for block in range(4)])
    expected = torch.einsum("yh,nhw,xw->nyx", weights, padded, weights)
    found = Scattering(16, 16, scales=2, turns=4)(IMAGES)[:, 0]
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_first_order_maps_are_averaged_moduli_of_a_wavelet_worked_out_without_fourier():
    sigma, slant, frequency = 0.8, 1.0, 0.75 * math.pi
    places = torch.arange(24, dtype=torch.float64)
    offset = (places + 12) % 24 - 12  # round the torus
    u, v = offset[None, :], offset[:, None]
    hill = torch.exp(-(u**2 + slant**2 * v**2) / (2 * sigma**2)) * slant / (2 * math.pi * sigma**2)
    wave = hill * torch.exp(1j * frequency * u)
    wave = wave - hill * (wave.sum() / hill.sum())
    padded = torch.nn.functional.pad(IMAGES.double(), (4,) * 4, mode="reflect")[:, 0]
    convolved = torch.zeros_like(padded, dtype=torch.complex128)
    for dy in range(24):
        for dx in range(24):
            convolved += wave[dy, dx] * padded.roll((dy, dx), (1, 2))
    weights = torch.stack([gauss(24, 1.6, 4 + 4 * block + 1.5) for block in range(4)])
    expected = torch.einsum("yh,nhw,xw->nyx", weights, convolved.abs(), weights)
    found = Scattering(16, 16, scales=2, turns=4)(IMAGES)[:, 1].double()
    ratio = found / expected  # wavelets are scaled by one number
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=1e-3)
    assert 0.5 < ratio.mean() < 2


@pytest.mark.parametrize("turns", [2, 4, 6])
def test_no_image_gains_energy(turns):
    made = Scattering(32, 32, scales=2, turns=turns)
    for pixels in (torch.rand(3, 1, 32, 32), torch.randn(3, 1, 32, 32).sign()):
        padded = torch.nn.functional.pad(pixels, (4,) * 4, mode="reflect")
        energy = made(pixels).square().sum((1, 2, 3)) * 16
        assert (energy <= padded.square().sum((1, 2, 3))).all()


def test_a_constant_image_has_an_average_and_nothing_else():
    found = Scattering(16, 16, scales=2, turns=4)(torch.full((1, 1, 16, 16), 0.7))
    torch.testing.assert_close(found[:, 0], torch.full((1, 4, 4), 0.7), atol=1e-4, rtol=0)
    assert found[:, 1:].abs().max() < 1e-5


def test_a_shift_changes_the_maps_far_less_than_the_pixels():
    pixels = torch.rand((8, 1, 32, 32), generator=torch_generator(1))
    moved = pixels.roll(1, 3)
    made = Scattering(32, 32, scales=2, turns=4)
    before, after = made(pixels), made(moved)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # the shift comes round

    def change(a, b):
        return (a - b)[inner].norm() / (a - a.mean((2, 3), keepdim=True))[inner].norm()

    assert change(before, after) < 0.5 * change(pixels, moved)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_turning_an_image_turns_its_maps_and_swaps_directions(scales):
    pixels = torch.rand((2, 3, 32, 32), generator=torch_generator(2))
    made = Scattering(32, 32, scales=scales, turns=4)
    upright = made(pixels)
    for quarters in range(4):
        turned = made(torch.rot90(pixels, quarters, (2, 3)))
        torch.testing.assert_close(made.turned(upright, quarters), turned, atol=2e-6, rtol=1e-5)
    assert not torch.allclose(torch.rot90(upright, 1, (2, 3)), made.turned(upright, 1), atol=1e-3)


def test_sizes_and_directions_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r"30 x 28 pixels; .*multiples of 4"):
        Scattering(28, 30, scales=2, turns=4)
    odd = Scattering(16, 16, scales=1, turns=3)
    with pytest.raises(InputError, match="3 directions; expected an even number"):
        odd.turned(odd(IMAGES), 1)


# The trained part.


@pytest.mark.parametrize("pretext", ["rotation", "jigsaw"])
def test_nothing_before_the_adapter_is_trained_and_the_pretext_head_is_put_aside(pretext):
    images = read_images({"x": tiny_images.pixels(40, 24)})
    system = ScatSimCLR(**KNOBS, pretext=pretext, base="moco").fit(images, run=Run(seed=0))
    assert all(name.startswith("adapter.") for name, _ in system.encoder.named_parameters())
    names = {name.split(".")[1] for name in system.learnt().arrays}
    assert names == {"adapter"}
    assert system.embed(images).shape == (40, 8 * 4)


def test_lambda_is_nothing_for_the_first_share_of_the_steps_in_the_code_it_counts_at_once():
    late, early = method_of(), method_of(pretext_after=0.0)
    rows = torch.arange(16)
    counted = []
    for done in range(10):
        late.after_step(late.model, done)
        counted.append("rotation" in late.loss(late.model, rows, torch_generator(0)).terms)
    assert counted == [False] * 4 + [True] * 6
    step = early.loss(early.model, rows, torch_generator(0))
    torch.testing.assert_close(step.loss, step.terms["pairs"] + 0.3 * step.terms["rotation"])
    # How far a run was is part of what a checkpoint holds.
    assert int(late.model.state_dict()["term.done"]) == 9


def test_the_presets_say_what_paper_and_code_say():
    paper = ScatSimCLR.preset("paper").config
    assert (paper.pretext_weight, paper.pretext_after, paper.temperature) == (0.3, 0.4, 0.5)
    assert (paper.scales, paper.turns, paper.lr, paper.weight_decay) == (2, 16, 3e-4, 1e-5)
    # The paper counts 14.1 million weights for 30 blocks, head included: that is with L = 8; its
    # 6.1 million for 8 blocks are with L = 16.
    eight = {"stem": 32, "widths": (64,) * 4 + (128,) * 4}
    for knobs, millions in (({"turns": 8}, 14.1), (eight, 6.1)):
        encoder = ScatSimCLR.preset("paper", **knobs).network((3, 96, 96))
        assert encoder.outputs == 2048
        trained = sum(p.numel() for p in encoder.parameters())
        head = 2048 * 2048 + 2048 + 2048 * 128 + 128
        assert (trained + head) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(("pretext", "classes"), [("rotation", 4), ("jigsaw", ORDERS)])
def test_a_head_that_knows_nothing_pays_the_logarithm_of_the_classes(pretext, classes):
    images = read_images({"x": tiny_images.pixels(40, 24)})
    method = method_of(images, pretext=pretext, pretext_after=0.0)
    for layer in method.model.term.modules():
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    step = method.loss(method.model, torch.arange(16), torch_generator(0))
    assert step.terms[pretext].item() == pytest.approx(math.log(classes), rel=1e-5)


@pytest.mark.parametrize(("pretext", "more"), [("none", 0), ("rotation", 4), ("jigsaw", 9)])
def test_a_step_costs_two_passes_and_four_or_nine_more(pretext, more):
    images = read_images({"x": tiny_images.pixels(40, 24)})
    system = ScatSimCLR(**KNOBS, pretext=pretext, pretext_after=0.0)
    encoder = system.fresh_encoder(images, 0)
    method = system.method(encoder, images, Run(seed=0))
    seen = []
    encoder.adapter.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    method.loss(method.model, torch.arange(16), torch_generator(0))
    assert sum(seen) == 16 * (2 + more)


def test_all_four_turns_are_shown_each_with_its_number():
    images = tiny_images.data()
    term = method_of(pretext_after=0.0).model.term
    maps, turns = term.inputs(torch.arange(5), torch_generator(0))
    assert len(maps) == 20
    assert turns.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    with pytest.raises(InputError, match="not square"):
        method_of(read_images({"x": images.pixels[:, :, :, :12]}))


def test_orders_are_35_always_the_same_and_far_apart():
    found = orders()
    assert found.shape == (ORDERS, 9)
    assert (np.sort(found, axis=1) == np.arange(9)).all()
    np.testing.assert_array_equal(found, orders())
    apart = (found[:, None] != found[None]).sum(2)[~np.eye(ORDERS, dtype=bool)]
    assert apart.min() >= 7


def test_tiles_come_from_their_thirds_in_the_order_that_is_said():
    numbered = torch.arange(9.0).view(1, 1, 3, 3).repeat_interleave(9, 2).repeat_interleave(9, 3)
    system = ScatSimCLR(**KNOBS, pretext="jigsaw")
    encoder = system.network((1, 28, 28))
    term = Jigsaw(encoder.adapter, lambda rows, _: numbered[[0] * len(rows)], (1, 28, 28),
                  system.config)  # fmt: skip
    assert term.tile == 8
    tiles = term.tiles(numbered, torch_generator(0))
    assert tiles.shape == (1, 9, 1, 8, 8)
    assert (tiles[0] == torch.arange(9.0).view(9, 1, 1, 1)).all()
    maps, drawn = term.inputs(torch.zeros(6, dtype=torch.int64), torch_generator(1))
    averages = maps[:, 0].mean((1, 2)).view(6, 9).round()
    np.testing.assert_array_equal(averages.numpy(), orders()[drawn.numpy()])
    with pytest.raises(InputError, match="expected images of 24 or more"):
        method_of(pretext="jigsaw")


def test_coefficients_are_raw_by_default_and_of_like_size_if_asked():
    images = tiny_images.data()
    raw = ScatSimCLR(**KNOBS).fresh_encoder(images, 0)
    scale = raw.adapter.standardise
    assert (scale.mean == 0).all()
    assert (scale.spread == 1).all()
    maps = raw.scatter(images.batch(torch.arange(60)))
    sizes = maps.view(60, 3, -1, 4, 4).square().mean((0, 1, 3, 4)).sqrt()
    assert sizes[0] > 20 * sizes[9:].median()  # what the unused batch norm was meant for
    scaled = ScatSimCLR(**KNOBS, coefficients="standardised").fresh_encoder(images, 0)
    standard = scaled.adapter.standardise(maps)
    torch.testing.assert_close(standard.std((0, 2, 3)), torch.ones(75), rtol=1e-3, atol=1e-3)
    for kind in ("log", "standardised"):
        system = ScatSimCLR(**KNOBS, coefficients=kind).fit(images, run=Run(seed=0))
        assert np.isfinite(system.embed(images)).all()


def test_every_image_is_embedded_also_in_a_last_batch_that_is_not_full():
    system = ScatSimCLR(**KNOBS).fit(tiny_images.data(), run=Run(seed=0))
    images = read_images({"x": tiny_images.pixels(517)})
    whole = system.embed(images)
    np.testing.assert_allclose(whole[512:], system.embed(images.take(range(512, 517))), atol=1e-5)


# The view cache.


def numbered(rows, generator):
    noise = torch.rand((len(rows), 3), generator=generator)
    return torch.cat([rows[:, None].float(), noise], 1)


def test_a_view_cache_depends_on_the_seed_alone_and_fits_into_its_room():
    knobs = {"wanted": 8, "room": 2**20, "seed": 1}
    one, same = ViewCache(numbered, 100, **knobs), ViewCache(numbered, 100, **knobs)
    torch.testing.assert_close(one.kept, same.kept)
    assert not torch.equal(one.kept, ViewCache(numbered, 100, **knobs | {"seed": 2}).kept)
    assert one.kept.shape == (8, 100, 4)
    assert ViewCache(numbered, 100, **knobs | {"room": 100 * 8 * 5}).views == 5
    assert ViewCache(numbered, 100, **knobs | {"room": 100 * 8 * 1}).views == 0


def test_drawn_views_are_those_of_their_rows_and_differ_while_there_are_enough():
    cache = ViewCache(numbered, 100, wanted=3, room=2**20, seed=1)
    rows = torch.tensor([5, 99, 5, 0])
    one, other, third, fourth = cache.draw(rows, 4, torch_generator(0))
    for view in (one, other, third):
        assert view[:, 0].tolist() == rows.tolist()
    apart = [(a - b)[:, 1:].abs().amax(1) > 0 for a, b in ((one, other), (other, third))]
    assert torch.stack(apart).all()
    torch.testing.assert_close(one, fourth)


def test_without_a_cache_views_are_made_anew():
    images = tiny_images.data()
    for knobs in ({"cached_views": 0}, {"cached_views": 8, "cache_mb": 1}):
        system = ScatSimCLR(**KNOBS | knobs, pretext="none")
        method = system.method(system.fresh_encoder(images, 0), images, Run(seed=0))
        first = method.loss(method.model, torch.arange(16), torch_generator(0)).embeddings
        again = method.loss(method.model, torch.arange(16), torch_generator(1)).embeddings
        assert not torch.allclose(first, again)


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_it_stands_on_every_base_together_with_hallucinated_positives(base, tmp_path):
    run = Run(tmp_path / "r", seed=0)
    knobs = KNOBS | {"base": base, "positives": {"weight": 1.0}, "pretext_after": 0.0}
    ScatSimCLR(**knobs).fit(tiny_images.data(), run=run)
    step = [event for event in run.events() if event["kind"] == "step"][-1]
    assert {"pairs", "hallucinated", "rotation"} <= step["terms"].keys()


def test_it_tells_stripes_apart():
    images = tiny_images.data()
    system = ScatSimCLR(**KNOBS | {"steps": 60}, pretext_after=0.0)
    system.fit(images, labels=tiny_images.labels(), run=Run(seed=0))
    fresh = read_images({"x": tiny_images.pixels(60, seed=1)})
    named = np.asarray(system.classes)[system.classify(fresh).argmax(1)]
    assert (named == tiny_images.labels()).mean() > 0.9
