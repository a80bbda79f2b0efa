import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.generators import Autoencoder
from contraview.modalities.images.data import read_images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.systems.genview import Attention, GenView
from contraview.systems.genview.attention import pair_weights
from contraview.systems.genview.variations import drawn, noise_levels, ready_made

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {
    "widths": (8, 16), "steps": 10, "batch": 16, "hidden": 16, "outputs": 8, "bottleneck": 4,
    "queue": 40, "reference": {"widths": (4, 8), "steps": 5, "batch": 16},
    "generator": {"latents": (4,), "widths": (4, 8), "steps": 5, "batch": 16},
}  # fmt: skip
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)
RUN = Run(seed=0)


class Pixels(ImageEncoder):
    """An encoder whose map is the image itself, a token a pixel."""

    def __init__(self):
        super().__init__(3, (4,))
        self.outputs = 3

    def features(self, pixels):
        return pixels


def discs(radii, size=12, ground=(0.1, 0.3, 0.2), subject=(0.9, 0.6, 0.4)):
    """A disc in the middle of each image, of this radius."""
    down, across = torch.meshgrid(*(torch.arange(size) - (size - 1) / 2,) * 2, indexing="ij")
    inside = (down**2 + across**2)[None] < torch.tensor(radii)[:, None, None].float() ** 2
    colours = [torch.tensor(each)[None, :, None, None] for each in (subject, ground)]
    return torch.where(inside[:, None], *colours)


def as_images(pixels):
    return read_images((pixels * 255).round().byte().numpy())


def attention(pixels, foreground=0.4):
    return Attention(Pixels()).learn(as_images(pixels), foreground)


@pytest.mark.parametrize("inverted", [False, True])
def test_the_subject_is_what_stands_in_the_middle_whatever_the_sign_of_the_component(inverted):
    radii = [2.0, 3.0, 4.0, 5.0]
    pixels = discs(radii)
    found = attention(1 - pixels if inverted else pixels, foreground=0.2)
    area = discs(radii, subject=(1.0,) * 3, ground=(0.0,) * 3)[:, 0].flatten(1).mean(1)
    torch.testing.assert_close(found.share(1 - pixels if inverted else pixels), area)


def test_the_threshold_makes_the_asked_share_of_all_tokens_subject():
    pixels = torch.rand(50, 3, 12, 12, generator=torch_generator(1))
    for share in (0.4, 0.1):
        found = attention(pixels, foreground=share)
        assert found.share(pixels).mean().item() == pytest.approx(share, abs=0.01)


def test_bins_of_a_fifth_map_to_five_levels_and_nothing_reaches_a_sixth():
    share = torch.tensor([0.0, 0.19, 0.21, 0.5, 0.79, 0.81, 1.0])
    levels = noise_levels(share, (0.0, 100.0, 200.0, 300.0, 400.0))
    assert levels.tolist() == [0, 0, 100, 200, 300, 400, 400]


def test_subject_and_background_by_hand():
    found = Attention(Pixels())
    found.component.copy_(torch.tensor([1.0, 0.0, 0.0]))
    pixels = torch.tensor([[0.0, 1.0], [2.0, 1.0]])[None, None].repeat(1, 3, 1, 1)
    pixels[:, 1] = torch.tensor([[4.0, 0.0], [0.0, 8.0]])
    # m = 0, .5, 1, .5: the subject weighs 0, 1/4, 1/2, 1/4; the background 1/2, 1/4, 0, 1/4.
    parts = found.parts(pixels)
    torch.testing.assert_close(parts.subject, torch.tensor([[1.5, 2.0, 1.5]]))
    torch.testing.assert_close(parts.background, torch.tensor([[0.5, 4.0, 0.5]]))


def test_an_image_without_contrast_is_half_subject_and_its_weight_is_a_number():
    pixels = discs([3.0, 4.0])
    flat = torch.full((2, 3, 12, 12), 0.5)
    found = attention(pixels)
    parts = found.parts(flat)
    torch.testing.assert_close(parts.subject, parts.background)
    assert found.likeness(flat, pixels).isfinite().all()
    # An image whose contrast is tiny is still spread over the full range, as in the official code.
    faint = 0.5 + 0.001 * pixels
    torch.testing.assert_close(
        found.parts(faint).subject, found.parts(0.5 + 0.001 * discs([3.0, 4.0])).subject
    )


def test_weights_by_hand_are_one_on_average_and_constant_to_the_gradient():
    likeness = torch.tensor([0.0, np.log(2.0), np.log(5.0)], requires_grad=True)
    weights = pair_weights(likeness, 1.0)
    torch.testing.assert_close(weights, torch.tensor([3, 6, 15]) / 8, check_dtype=False)
    assert not weights.requires_grad
    torch.testing.assert_close(pair_weights(likeness, 0.0), torch.ones(3), check_dtype=False)
    # A larger batch or gain spreads them: what the official code's users meet.
    assert pair_weights(likeness, 3.0).max() > weights.max()
    assert pair_weights(torch.tensor([5.0] + [0.0] * 99), 1.0).max() > 50


def test_a_pair_of_unlike_subjects_counts_less():
    pixels = discs([4.0] * 6)
    found = attention(pixels)
    other = discs([4.0] * 6, subject=(0.9, 0.1, 0.0))
    half = torch.cat([pixels[:3], other[3:]])
    weights = pair_weights(found.likeness(pixels, half), 1.0)
    assert weights[3:].max() < 1 < weights[:3].min()


class Mean(Autoencoder):
    """A generator of one latent, the brightness."""

    def __init__(self):
        super().__init__((1,), (3, 8, 8))
        self.register_buffer("nothing", torch.zeros(()))

    def encode(self, pixels):
        return (pixels.mean((1, 2, 3))[:, None],)

    def decode(self, latents):
        return latents[0][:, :, None, None].expand(-1, 3, 8, 8)


def test_noise_is_each_images_own_and_a_fixed_number_is_drawn_once():
    images = as_images(torch.full((6, 3, 8, 8), 0.5))
    noise = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    anew = drawn(Mean(), images, noise, each=None, seed=0)
    rows = torch.arange(6)
    one, other = anew(rows, torch_generator(0, 1)), anew(rows, torch_generator(0, 2))
    torch.testing.assert_close(one[:3], other[:3])
    torch.testing.assert_close(one[:3], torch.full((3, 3, 8, 8), 128 / 255))
    assert (one[3:] != other[3:]).all()
    twice = drawn(Mean(), images, noise, each=2, seed=0)
    seen = torch.stack([twice(rows, torch_generator(0, step))[:, 0, 0, 0] for step in range(40)])
    assert [len(seen[:, row].unique()) for row in range(6)] == [1, 1, 1, 2, 2, 2]


def test_either_view_may_be_the_variation_and_the_other_is_the_original():
    images = tiny_images.data()
    still = {"crop": 0, "flip": 0, "jitter": 0, "grey": 0, "blur": 0}
    views = GenView(**KNOBS, views=still).views_of(images, RUN)
    rows = torch.arange(60)
    one, other = views(rows, torch_generator(0))
    pixels = images.batch(rows)
    first = (one == pixels).flatten(1).all(1)
    second = (other == pixels).flatten(1).all(1)
    assert (first ^ second).all()
    assert 15 < first.sum() < 45
    never = GenView(**KNOBS, views=still, chance=0.0).views_of(images, RUN)
    assert all(torch.equal(view, pixels) for view in never(rows, torch_generator(0)))


def test_the_reference_sees_the_views_and_its_weights_reach_the_loss():
    images = tiny_images.data()

    def loss(gain):
        made = GenView(**KNOBS, gain=gain, variations={"noise": 0.5})
        method = made.method(made.fresh_encoder(images, 0), images, RUN)
        step = method.loss(method.model, torch.arange(16), torch_generator(0))
        return step.loss.item(), made, method

    plain, _, _ = loss(0.0)
    weighed, made, method = loss(20.0)
    assert plain != weighed
    pixels = images.batch(torch.arange(16))
    darker = pixels * torch.linspace(0.2, 1, 16)[:, None, None, None]
    assert not torch.allclose(made.weights_of(pixels, darker), torch.ones(16), atol=1e-3)
    trained = {id(p) for p in method.model.parameters() if p.requires_grad}
    assert not trained & {id(p) for p in made.attention.parameters()}


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_it_goes_with_hallucinated_positives_on_every_base_and_only_the_encoder_stays(base):
    knobs = KNOBS | {"steps": 3, "base": base, "positives": {"weight": 1.0}}
    model = GenView(**knobs).fit(tiny_images.data(), run=RUN)
    assert all(name.startswith("encoder.") for name in model.learnt().arrays)


def test_pca_will_do_and_a_generator_without_a_way_back_is_refused():
    pca = KNOBS | {"generator": {"kind": "pca", "latents": (4,)}}
    assert GenView(**pca).fit(tiny_images.data(), run=RUN).fitted
    with pytest.raises(InputError, match="expected kind vae or pca"):
        GenView(generator={"kind": "gan"})


def folders(tmp_path, each):
    """Four images in two folders, and ``each`` plain variations of brightness 10 i + number."""
    for row in range(4):
        name = Path("cat" if row < 2 else "dog") / f"{row % 2}"
        for root, names in (("in", [f"{name}.png"]), ("out", [f"{name}_{n}.png" for n in each])):
            for number, file in enumerate(names):
                path = tmp_path / root / file
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), 10 * row + number + 1).save(path)
    return read_images(tmp_path / "in")


def test_ready_made_variations_are_found_by_name_below_the_shared_folder(tmp_path):
    images = folders(tmp_path, each=(0, 1))
    source = ready_made(tmp_path / "out", images)
    seen = torch.stack([
        source(torch.tensor([3, 0]), torch_generator(0, step))[:, 0, 0, 0] for step in range(30)
    ])  # fmt: skip
    assert [sorted((seen[:, i].unique() * 255).round().tolist()) for i in (0, 1)] == [
        [31, 32], [1, 2],
    ]  # fmt: skip
    knobs = KNOBS | {"variations": {"folder": str(tmp_path / "out")}, "batch": 4}
    model = GenView(**knobs).fit(images.take([0, 1, 2, 3] * 3), run=Run(seed=0))
    assert model.attention is not None


def test_a_missing_variation_is_named_before_anything_is_trained(tmp_path):
    images = folders(tmp_path, each=(0,))
    (tmp_path / "out" / "dog" / "1_0.png").unlink()
    run = Run(tmp_path / "run", seed=0)
    knobs = KNOBS | {"variations": {"folder": str(tmp_path / "out")}}
    with pytest.raises(InputError, match=r"no variation of dog.1; expected dog.1.png or dog.1_0"):
        GenView(**knobs).fit(images.take([0, 1, 2, 3] * 3), run=run)
    assert not [event for event in run.events() if event["kind"] == "step"]
    with pytest.raises(InputError, match="no such folder"):
        ready_made(tmp_path / "nowhere", images)
    wide = replace(images, pixels=images.pixels[:, :, :6])
    with pytest.raises(InputError, match="expected squares"):
        ready_made(tmp_path / "in", wide)


def test_the_reference_is_frozen_in_evaluation_and_the_same_for_the_same_seed():
    made = fresh(lambda: ImageEncoder(3, (4, 8)), 0, "x")
    images = tiny_images.data()
    one = Attention(made).learn(images, 0.4)
    again = Attention(made).learn(images, 0.4)
    torch.testing.assert_close(one.component, again.component)
    assert not any(p.requires_grad for p in one.parameters())


def test_what_all_tokens_share_is_taken_away_before_cosines():
    pixels = discs([3.0, 4.0, 5.0])
    found = attention(pixels)
    tokens = found.tokens(pixels)
    torch.testing.assert_close(tokens.mean((0, 1)), torch.zeros(3), atol=5e-3, rtol=0)
    other = discs([3.0, 4.0, 5.0], subject=(0.9, 0.1, 0.0))
    assert found.likeness(pixels, other).abs().max() > 0.1
