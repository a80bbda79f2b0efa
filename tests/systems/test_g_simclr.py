import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.images.simclr import SimCLR
from contraview.systems.g_simclr import GSimCLR, PseudoClasses
from contraview.systems.g_simclr.pseudo_classes import DenoisingAutoencoder, denoising_loss

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {
    "widths": (8, 16), "steps": 20, "batch": 12, "hidden": 16, "outputs": 8, "queue": 40,
    "pseudo": {"widths": (8, 16), "steps": 10},
}  # fmt: skip
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


def flat_colours():
    """60 images of three plain colours, with noise; classes no autoencoder can miss."""
    images = tiny_images.data()
    colours = np.array([[230, 20, 20], [20, 230, 20], [20, 20, 230]])[np.arange(60) % 3]
    noise = torch_generator(0)
    drawn = torch.randn(60, 3, 16, 16, generator=noise).numpy() * 4
    pixels = np.clip(colours[:, :, None, None] + drawn, 0, 255).astype(np.uint8)
    return replace(images, pixels=pixels)


def test_pseudo_classes_of_plain_colours_are_the_colours_and_repeat_themselves():
    images = flat_colours()
    settings = PseudoClasses(count=3, widths=(8, 16), steps=60)
    found = settings.find(images, 12, Run(seed=0))
    pairs = set(zip(found.tolist(), (np.arange(60) % 3).tolist(), strict=True))
    assert len(pairs) == 3
    np.testing.assert_array_equal(found, settings.find(images, 12, Run(seed=0)))


def test_there_are_as_many_pseudo_classes_as_images_a_batch_unless_told():
    images = tiny_images.data()
    assert len(np.unique(GSimCLR(**KNOBS).groups(images, Run(seed=0)))) == 12
    two = GSimCLR(**KNOBS | {"pseudo": KNOBS["pseudo"] | {"count": 2}})
    assert len(np.unique(two.groups(images, Run(seed=0)))) == 2


def test_the_autoencoder_sees_noise_and_is_asked_for_the_image_without():
    images = tiny_images.data()
    seen = []

    class Echo(torch.nn.Module):
        def forward(self, pixels):
            seen.append(pixels)
            return pixels

    step = denoising_loss(images, 0.5)(Echo(), torch.arange(60), torch_generator(0))
    assert seen[0].std() > images.batch(torch.arange(60)).std()
    # An echo is wrong by the noise alone: its variance.
    assert step.loss.item() == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("side", [16, 17, 28])
def test_the_autoencoder_gives_back_the_size_it_got(side):
    network = DenoisingAutoencoder((1, side, side), (4, 8, 12))
    given = network(torch.rand(2, 1, side, side))
    assert given.shape == (2, 1, side, side)
    assert 0 <= given.min() <= given.max() <= 1


def test_batches_hold_different_groups_and_are_new_in_each_pass_unless_the_official_way_is_asked():
    images = tiny_images.data()
    kinds = np.arange(60) % 3
    system = GSimCLR(**KNOBS, group_by="kind")
    rows_at = system.batches(images, Run(seed=0))
    for step in range(10):
        assert np.bincount(kinds[rows_at(step)]).tolist() == [4, 4, 4]
    assert set(rows_at(0).tolist()) != set(rows_at(5).tolist())
    official = GSimCLR(**KNOBS, group_by="kind", order="rank", reshuffle=False)
    rows_at = official.batches(images, Run(seed=0))
    for step in range(5):
        assert torch.equal(rows_at(step), rows_at(step + 5))


def test_the_official_order_fills_its_last_batches_with_the_large_groups():
    images = tiny_images.data()
    sizes = np.repeat(["a", "b", "c", "many"], [6, 6, 6, 42])
    images = replace(images, table=images.table.with_columns(shop=pl.Series(sizes)))
    knobs = KNOBS | {"group_by": "shop"}
    last = GSimCLR(**knobs, order="rank").batches(images, Run(seed=0))(4)
    assert set(sizes[last]) == {"many"}
    for step in range(5):
        spread = GSimCLR(**knobs).batches(images, Run(seed=0))(step)
        assert 8 <= (sizes[spread] == "many").sum() <= 9


def test_the_autoencoder_takes_its_steps_whatever_the_data_say(tmp_path):
    run = Run(tmp_path / "run", seed=0)
    GSimCLR(**KNOBS).fit(tiny_images.data(), run=run)
    events = run.events()
    last = [e["step"] for e in events if e["kind"] == "step" and e["name"] == "autoencoder"]
    assert last[-1] == 10
    groups = next(event for event in events if event["kind"] == "groups")
    assert groups["count"] == 12


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_its_batches_go_with_hallucinated_positives_on_every_base(base, tmp_path):
    run = Run(tmp_path / base, seed=0)
    images = tiny_images.data()
    crossed = GSimCLR(**KNOBS, base=base, positives={"weight": 1.0}).fit(images, run=run)
    step = [event for event in run.events() if event["kind"] == "step"][-1]
    assert {"pairs", "hallucinated"} <= step["terms"].keys()
    alone = GSimCLR(**KNOBS, base=base).fit(images, run=Run(seed=0))
    assert not np.array_equal(crossed.embed(images), alone.embed(images))


def test_nothing_but_the_batches_differs_from_the_base():
    images = tiny_images.data()
    guided = GSimCLR(**KNOBS, group_by="kind")
    knobs = {name: value for name, value in KNOBS.items() if name not in ("queue", "pseudo")}
    plain = SimCLR(**knobs)
    plain.batches = guided.batches
    np.testing.assert_array_equal(
        guided.fit(images, run=Run(seed=1)).embed(images),
        plain.fit(images, run=Run(seed=1)).embed(images),
    )


def test_the_embedding_of_an_image_depends_on_it_alone():
    images = tiny_images.data()
    model = GSimCLR(**KNOBS).fit(images, run=Run(seed=0))
    alone = np.concatenate([model.embed(images.take([row])) for row in range(4)])
    np.testing.assert_allclose(alone, model.embed(images)[:4], atol=1e-5)


def test_the_papers_views_are_weak_and_its_batches_stand_still():
    config = GSimCLR.preset("paper").config
    assert config.views.crop == 0
    assert (config.views.jitter, config.views.jitter_chance) == (0.2, 0.5)
    assert (config.order, config.reshuffle, config.batch) == ("rank", False, 64)


def test_a_column_that_is_not_there_is_named_before_anything_is_trained(tmp_path):
    run = Run(tmp_path / "run", seed=0)
    with pytest.raises(InputError, match="no column 'shop'; there are"):
        GSimCLR(**KNOBS, group_by="shop").fit(tiny_images.data(), run=run)
    assert not [event for event in run.events() if event["kind"] == "step"]
