import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.generators import Generator
from contraview.modalities.images.data import Images
from contraview.systems.mlvgm_views import CriticConfig, MlvgmViews
from contraview.systems.mlvgm_views.critic import Critic, information, learnt_walks, walking_loss
from contraview.systems.mlvgm_views.moves import (
    Move,
    Noise,
    Walks,
    anchors,
    displacement,
    truncated_normal,
)

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {
    "widths": (8, 16), "steps": 10, "batch": 16, "hidden": 16, "outputs": 8, "bottleneck": 4,
    "queue": 40, "generator": {"latents": (2, 4), "widths": (4, 8), "steps": 10, "batch": 16},
    "critic": {"widths": (4, 8), "outputs": 4, "steps": 3, "batch": 16, "estimates": 2},
}  # fmt: skip
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={
        "search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3),
        "generate": lambda system: system.generate(count=3),
    },
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)
RUN = Run(seed=0)
SMALL = CriticConfig.of(widths=(8, 16), outputs=8, steps=120, batch=32, lr=5e-3, estimates=20)


class Halves(Generator):
    """Two known factors: the first latent is the brightness left, the second that of one pixel."""

    def __init__(self):
        super().__init__((1, 1), (1, 8, 8))
        self.register_buffer("nothing", torch.zeros(()))

    def decode(self, latents):
        whole, spot = (torch.sigmoid(2 * each)[:, :, None, None] for each in latents)
        pixels = whole.expand(-1, 1, 8, 8).clone()
        pixels[:, :, 3:5, 3:5] = spot
        return pixels


def test_truncated_numbers_stay_inside_and_have_the_right_spread():
    drawn = truncated_normal(20_000, 1, 1.0, torch_generator(0))
    assert drawn.abs().max() <= 1
    # The variance of a standard normal cut at t: 1 - 2 t phi(t) / (2 Phi(t) - 1).
    phi = math.exp(-0.5) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * phi / math.erf(1 / math.sqrt(2))
    assert drawn.var().item() == pytest.approx(variance, rel=0.03)
    assert torch.equal(drawn, truncated_normal(20_000, 1, 1.0, torch_generator(0)))


def test_each_level_has_a_move_of_its_own_and_one_of_size_0_stays():
    latents = anchors((3, 2000), 8, 2.0, torch_generator(0))
    still, moved = Noise((0.0, 0.5), 2.0)(latents, torch_generator(1))
    assert torch.equal(still, latents[0])
    # Normal numbers cut at 2 have deviation .88.
    assert (moved - latents[1]).std().item() == pytest.approx(0.5 * 0.88, rel=0.03)


def test_displacement_by_hand():
    before = (torch.zeros(2, 1), torch.zeros(2, 2))
    after = (torch.tensor([[3.0], [0.0]]), torch.tensor([[0.0, 4.0], [1.0, 0.0]]))
    assert displacement(before, after).item() == pytest.approx((5 + 1) / 2)


def test_a_walk_is_nearly_still_before_it_is_learnt():
    latents = anchors((4, 24), 50, 2.0, torch_generator(0))
    walks = Walks((4, 24), 32, (True, True), 0)
    assert displacement(latents, walks(latents, torch_generator(0))) < 0.05


def test_the_walk_climbs_where_the_critic_descends_and_stops_at_the_limit():
    generator = Halves()
    for limit, sign in ((1e9, -1.0), (0.0, 0.0)):
        walks = Walks((1, 1), 4, (True, True), 0)
        critic = Critic(generator.shape, SMALL, walks)
        loss = walking_loss(generator, walks, 2.0, limit)
        step = loss(critic, torch.arange(16), torch_generator(3))
        step.loss.backward()
        turned = [p.grad.clone() for p in walks.parameters()]
        descended = critic.network[1].weight.grad.clone()
        critic.zero_grad()
        latents = anchors(generator.latents, 16, 2.0, torch_generator(3))
        plain = critic(
            generator.decode(latents), generator.decode(walks(latents, torch_generator(0)))
        )
        plain.backward()
        torch.testing.assert_close(critic.network[1].weight.grad, descended)
        for one, other in zip(turned, walks.parameters(), strict=True):
            torch.testing.assert_close(one, sign * other.grad)


def test_the_critic_by_hand():
    critic = Critic((1, 8, 8), CriticConfig.of(temperature=0.5), Move())
    critic.network = nn.Flatten()
    one = torch.zeros(2, 1, 8, 8)
    one[0, 0, 0, 0] = one[1, 0, 0, 1] = 3.0
    # Cosines 1 and 0, so logits 2 and 0.
    expected = math.log(1 + math.exp(-2))
    assert critic(one, one).item() == pytest.approx(expected, rel=1e-5)


def test_moving_what_decides_most_leaves_least_information():
    generator = Halves()
    left = [
        information(generator, sizes, SMALL, truncation=2.0, run=RUN, name=f"{sizes}")
        for sizes in ((1.5, 0.0), (0.0, 1.5), (0.0, 0.0))
    ]
    assert left[0] < left[1] < left[2] <= math.log(32) + 1e-6


def test_walks_are_learnt_one_level_at_a_time_and_a_level_of_size_0_is_not():
    walks = Walks((1, 1), 8, (False, True), 0)
    before = [p.clone() for p in walks.parameters()]
    learnt_walks(Halves(), walks, SMALL.model_copy(update={"steps": 30}), truncation=2.0, run=RUN)
    same = [torch.equal(a, b) for a, b in zip(before, walks.parameters(), strict=True)]
    assert same == [True] * 4 + [False] * 4
    assert walks.moving == (False, True)
    assert not any(p.requires_grad for p in walks.parameters())


class Unread(Images):
    """Images that must not be looked at."""

    def batch(self, rows, device="cpu"):
        raise AssertionError("an image was read")


def test_once_the_generator_is_there_no_image_is_read_and_none_is_made_twice():
    system = MlvgmViews(**KNOBS)
    generator = system.generator_of(tiny_images.data(), RUN)
    system.generator_of = lambda images, run: generator
    unread = Unread(tiny_images.data().pixels, tiny_images.data().table)
    views, batches = system.views_of(unread, RUN), system.batches(unread, RUN)
    seen = [views(batches(step), torch_generator(0, step))[0] for step in range(12)]
    flat = torch.cat(seen).flatten(1)
    assert len(flat) == 12 * 16 == len(flat.unique(dim=0))


def test_a_sample_is_drawn_once():
    still = {"crop": 0, "flip": 0, "jitter": 0, "grey": 0, "blur": 0}
    system = MlvgmViews(**KNOBS, sample=20, views=still)
    views = system.views_of(tiny_images.data(), RUN)
    batches = system.batches(tiny_images.data(), RUN)
    seen = [views(batches(step), torch_generator(0, step)) for step in range(12)]
    for side in (0, 1):
        flat = torch.cat([pair[side] for pair in seen]).flatten(1)
        assert len(torch.unique((flat * 255).round(), dim=0)) == 20


def test_an_anchor_and_its_positive_share_the_level_that_stays():
    system = MlvgmViews(**KNOBS).fit(tiny_images.data(), run=RUN)
    one, other = system.pairs(8, torch_generator(0))
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_the_encoder_leaves_the_generator_alone():
    images = tiny_images.data()
    system = MlvgmViews(**KNOBS)
    alone = system.generator_of(images, RUN)
    system.fit(images, run=RUN)
    for one, other in zip(alone.parameters(), system.generator.parameters(), strict=True):
        assert torch.equal(one, other)
        assert not other.requires_grad


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_its_views_go_with_hallucinated_positives_on_every_base(base, tmp_path):
    run = Run(tmp_path / base, seed=0)
    knobs = KNOBS | {"base": base, "positives": {"weight": 1.0}, "move": {"kind": "learned"}}
    MlvgmViews(**knobs).fit(tiny_images.data(), run=run)
    step = [event for event in run.events() if event["kind"] == "step"][-1]
    assert {"pairs", "hallucinated"} <= step["terms"].keys()


def test_information_and_images_like_others():
    images = tiny_images.data()
    system = MlvgmViews(**KNOBS).fit(images, run=RUN)
    told = system.information(run=RUN)
    assert list(told) == ["level 0", "level 1"]
    assert all(math.isfinite(value) for value in told.values())
    like = system.generate(images.take([4, 7]), count=2, seed=1)
    assert like.shape == (4, 3, 16, 16)
    assert like.dtype == np.uint8
    whole = system.encoded(images.take([4, 7]))
    assert [level.shape for level in whole] == [(2, 2), (2, 4)]


def test_wrong_asking_is_one_line():
    with pytest.raises(InputError, match=r"1 move.sizes for 2 levels"):
        MlvgmViews(generator={"latents": (2, 4)}, move={"sizes": (1.0,)})
    images = tiny_images.data()
    gan = KNOBS | {"generator": KNOBS["generator"] | {"kind": "gan"}}
    system = MlvgmViews(**gan).fit(images, run=RUN)
    with pytest.raises(InputError, match="does not know the latents"):
        system.generate(images)
    with pytest.raises(InputError, match="0 images asked for"):
        system.generate(count=0)
    with pytest.raises(InputError, match="expected 16 x 16"):
        MlvgmViews(**KNOBS).fit(images, run=RUN).generate(
            replace(images, pixels=images.pixels[:, :, :8, :8])
        )
