import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.modalities.images.data import read_images
from contraview.systems.pixcell import PixCell
from contraview.systems.pixcell.config import PRESETS, PixCellConfig
from contraview.systems.pixcell.denoiser import Averaged, draw, fresh_denoiser, scaled, unscaled
from contraview.systems.pixcell.embedder import Embedder
from contraview.systems.pixcell.flow import flow_loss, follow_flow, learn_flow

sys.path.insert(0, str(Path(__file__).parent))
import tiny

KNOBS = {
    "embedder_widths": (8, 8),
    "embedder_steps": 3,
    "embedder_batch": 8,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "times": 20,
    "steps": 10,
    "lr": 0.02,
    "warmup": 0,
    "batch": 4,
    "sampling_steps": 3,
    "flow_width": 16,
    "flow_blocks": 1,
    "flow_steps": 3,
    "flow_batch": 4,
}


def tiles(count=10, channels=3, side=8, seed=0):
    """Tiles of one colour each, with some noise."""
    generator = np.random.default_rng(seed)
    colours = generator.integers(30, 220, (count, 1, 1, channels))
    noise = generator.integers(0, 20, (count, side, side, channels))
    return read_images((colours + noise).astype(np.uint8))


TINY = tiny.Tiny(
    data=tiles,
    knobs=KNOBS,
    ask={"generate": lambda system: system.generate(tiles(3, seed=1), count=2, seed=5)},
)


def config(**knobs):
    return PixCellConfig.of(**KNOBS | knobs)


@pytest.fixture(scope="module")
def fitted():
    return PixCell(**KNOBS).fit(tiles(), run=Run(seed=0))


def test_the_paper_preset_has_the_papers_values():
    paper = PRESETS["paper"]
    assert (paper["width"], paper["depth"], paper["heads"]) == (1152, 28, 16)
    assert paper["times"] == 1000
    assert paper["learnt_variance"]
    assert paper["drop"] == 0.1
    assert (paper["guidance"], paper["sampling_steps"], paper["order"]) == (2.0, 20, 2)
    assert (paper["batch"], paper["lr"], paper["warmup"]) == (128, 2e-5, 1000)
    assert (paper["clip"], paper["average"], paper["epochs"]) == (0.01, 0.9999, 10)
    assert (paper["flow_width"], paper["flow_blocks"], paper["flow_lr"]) == (1024, 6, 1e-4)
    # as many tokens as the paper has: 256 pixels, latents of 32, patches of 2
    assert (256 // paper["patch"]) ** 2 == (32 // 2) ** 2


def test_the_shift_goes_before_the_scale_and_back():
    settings = config(shift=0.0609, scale=1.5305)
    pixels = torch.arange(256)[None, :, None].float() / 255
    assert scaled(pixels, settings)[0, 255, 0] == pytest.approx((1 - 0.0609) * 1.5305)
    assert torch.equal(
        unscaled(scaled(pixels, settings), settings)[0, :, 0].long(), torch.arange(256)
    )
    assert scaled(pixels, config()).aminmax() == (-1, 1)


def test_the_embedder_is_frozen_and_its_embeddings_are_standardised(fitted):
    assert not any(each.requires_grad for each in fitted.embedder.parameters())
    found = fitted.conditions(tiles())
    torch.testing.assert_close(found.mean(0), torch.zeros(8), atol=1e-4, rtol=0)
    assert found.std(0, correction=0).max() == pytest.approx(1, abs=1e-3)
    assert found.abs().max() < 10


def test_a_dimension_that_is_almost_dead_is_not_blown_up(fitted):
    spread = fitted.embedder.spread
    assert (
        spread.min()
        >= 0.0999
        * fitted.embedder.encoder(tiles().batch(torch.arange(10))).std(0, correction=0).mean()
    )


def test_training_the_denoiser_leaves_the_embedder_as_it_was():
    images = tiles()
    alone = Embedder(config(), 3, 0)
    alone.learn(images, config(), Run(seed=0, show=False))
    system = PixCell(**KNOBS).fit(images, run=Run(seed=0, show=False))
    assert torch.equal(alone.of(images), system.conditions(images))


def test_the_averaged_weights_are_those_that_draw(fitted):
    model = Averaged(fresh_denoiser(config(), (3, 8, 8), 8, 0))
    assert not any(each.requires_grad for each in model.average.parameters())
    with torch.no_grad():
        model.network.last.bias.add_(1)
    assert not torch.equal(model.network.last.bias, model.average.last.bias)
    assert not any(each.requires_grad for each in fitted.denoiser.parameters())


def test_drawing_is_a_function_of_the_seed_and_the_references(fitted):
    references = tiles(3, seed=1)
    first = fitted.generate(references, count=2, seed=7)
    assert first.shape == (6, 3, 8, 8)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, fitted.generate(references, count=2, seed=7))
    assert (first != fitted.generate(references, count=2, seed=8)).any()
    assert fitted.generate(count=4).shape == (4, 3, 8, 8)
    assert fitted.generate(tiles(3).take([])).shape == (0, 3, 8, 8)


def test_without_guidance_the_condition_does_not_matter(fitted):
    start = torch.randn(2, 3, 8, 8)
    network = fresh_denoiser(config(), (3, 8, 8), 8, 0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=torch_generator(0, "weights"))
    network.requires_grad_(False)
    one, other = torch.randn(2, 2, 8)
    none = draw(network, start, None, config())
    assert torch.equal(draw(network, start, one, config(guidance=0.0)), none)
    assert not torch.equal(
        draw(network, start, one, config()), draw(network, start, other, config())
    )


def test_it_learns_what_the_tiles_look_like_and_is_steered():
    grey = np.concatenate([np.full((20, 4, 4), 40), np.full((20, 4, 4), 210)]).astype(np.uint8)
    grey += np.random.default_rng(0).integers(0, 9, grey.shape).astype(np.uint8)
    knobs = {
        "width": 32,
        "steps": 300,
        "lr": 3e-3,
        "batch": 32,
        "sampling_steps": 10,
        "average": 0.9,
    }
    views = {"crop": 0.0, "jitter": 0.0, "rotate": 0.0}
    system = PixCell(**KNOBS | knobs | {"views": views}).fit(grey)
    made = system.generate(grey[[0, 39]], count=8).reshape(2, -1).mean(1)
    assert made[0] < 110
    assert made[1] > 180


# the flow between stains


def test_the_flow_leads_to_the_target():
    start = torch.randn(64, 2, generator=torch_generator(0, "start"))
    end = start * 0.5 + torch.tensor([3.0, -1.0])
    settings = config(flow_width=32, flow_steps=300, flow_batch=64, flow_lr=5e-3)
    net = learn_flow(start, end, settings, Run(seed=0, show=False))
    found = follow_flow(net, start, 20)
    assert (found - end).square().mean() < 0.05 * (start - end).square().mean()


def test_a_straight_flow_arrives_in_any_number_of_steps():
    start = torch.randn(5, 3)
    for steps in (1, 7):
        found = follow_flow(lambda places, _: torch.ones_like(places) * 2, start, steps)
        torch.testing.assert_close(found, start + 2)


def test_the_flows_loss_by_hand():
    class Still(torch.nn.Module):
        def forward(self, places, times):
            assert ((times >= 0) & (times < 1)).all()
            return torch.zeros_like(places)

    start, end = torch.zeros(4, 2), torch.full((4, 2), 3.0)
    step = flow_loss(start, end)(Still(), torch.arange(4), torch_generator(0, "flow"))
    assert step.loss == pytest.approx(9)


def test_stains_are_learnt_saved_and_used(fitted, tmp_path):
    import contraview

    one, other = tiles(), tiles(seed=2)
    with pytest.raises(InputError, match="learnt no stain"):
        fitted.restain(one)
    system = PixCell(**KNOBS).fit(one).learn_stain(one, other)
    system.save(tmp_path / "model")
    again = contraview.load(tmp_path / "model")
    np.testing.assert_array_equal(system.restain(one, seed=3), again.restain(one, seed=3))
    with pytest.raises(InputError, match="10 tiles and 4 stained; expected pairs"):
        system.learn_stain(one, other.take(range(4)))


# what cannot be


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda system: system.generate(tiles(2, channels=1)), "expected 8 x 8 pixels in colour"),
        (lambda system: system.generate(tiles(2, side=12)), "images of 12 x 12"),
        (lambda system: system.generate(count=0), "0 tiles asked for"),
        (lambda _: PixCell(**KNOBS).fit(tiles(side=10)), "a multiple of patch 4"),
        (lambda _: PixCell(**KNOBS).fit(tiles(count=1)), "1 tile; expected at least 2"),
        (lambda _: config(width=18, heads=4), "not a multiple of 4 and of 4 heads"),
        (lambda _: config(sampling_steps=30), "more than the 20 times"),
        (lambda _: config(epochs=2), "exactly one of steps and epochs"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(fitted, ask, says):
    with pytest.raises(InputError, match=says) as error:
        ask(fitted)
    assert "\n" not in str(error.value)
