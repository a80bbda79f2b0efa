import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy, softplus

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.generators import GeneratorConfig, fresh_generator, learn_generator
from contraview.frameworks.generators.gan import gan_loss
from contraview.frameworks.generators.pca import PcaGaussian
from contraview.frameworks.generators.vae import Vae, divergence, vae_loss
from contraview.modalities.images.data import read_images

KNOBS = {
    "vae": {"latents": (6,)},
    "ladder": {"kind": "vae", "latents": (2, 6)},
    "gan": {"kind": "gan", "latents": (6,)},
    "pca": {"kind": "pca", "latents": (6,)},
    "diffusion": {"kind": "diffusion"},
}
QUICK = {"widths": (8, 16), "steps": 4, "batch": 8}
SHAPES = ((1, 12, 10), (3, 8, 8))


def blobs(count=64, shape=(1, 12, 10), seed=0):
    """A bright square on black that is left or right, of any brightness."""
    g = np.random.default_rng(seed)
    channels, height, width = shape
    pixels = np.zeros((count, channels, height, width))
    for i in range(count):
        left = (i % 2) * (width // 2)
        pixels[i, :, 2:-2, left : left + width // 2] = g.uniform(0.4, 1)
    return read_images((pixels * 255).astype(np.uint8).transpose(0, 2, 3, 1))


def config(name, **knobs):
    return GeneratorConfig.of(**QUICK | KNOBS[name] | knobs)


def seeded(seed=0):
    return torch_generator(seed, "test")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", KNOBS)
def test_samples_are_images_and_the_same_by_seed(name, shape):
    images = blobs(16, shape)
    first, again = (learn_generator(config(name), images, Run(seed=1)) for _ in "ab")
    made = first.sample(5, seeded())
    assert made.shape == (5, *shape)
    assert ((made >= 0) & (made <= 1)).all()
    assert torch.equal(made, again.sample(5, seeded()))
    assert not torch.equal(made, first.sample(5, seeded(1)))
    assert not any(each.requires_grad for each in first.parameters())


@pytest.mark.parametrize("name", KNOBS)
def test_one_interface_latents_are_drawn_moved_a_level_and_decoded(name):
    images = blobs(16)
    model = learn_generator(config(name), images, Run(seed=0))
    latents = model.draw(4, seeded())
    assert tuple(each.shape[1] for each in latents) == model.latents
    assert torch.equal(model.decode(latents), model.sample(4, seeded()))
    for level in range(len(latents)):
        moved = model.perturb(latents, level=level, size=0.5, generator=seeded(2))
        for place, (before, after) in enumerate(zip(latents, moved, strict=True)):
            assert torch.equal(before, after) == (place != level)
        far = (moved[level] - latents[level]).std()
        assert 0.25 < far < 0.75
        still = model.perturb(latents, level=level, size=0.0, generator=seeded(2))
        assert torch.equal(still[level], latents[level])


@pytest.mark.parametrize("name", ["vae", "ladder", "pca"])
def test_what_has_a_way_back_finds_the_image_again(name):
    images = blobs()
    knobs = {"steps": 150, "batch": 32, "lr": 5e-3, "beta": 0.2} if name != "pca" else {}
    model = learn_generator(config(name, **knobs), images, Run(seed=0))
    pixels = images.batch(torch.arange(len(images)))
    again = model.decode(model.encode(pixels))
    of_the_mean = (pixels.mean(0) - pixels).square().mean()
    assert (again - pixels).square().mean() < 0.4 * of_the_mean
    assert torch.equal(again, model.decode(model.encode(pixels)))


def test_gradients_reach_latents_so_that_they_can_be_learnt():
    model = fresh_generator(config("ladder"), (1, 12, 10), 0)
    latents = tuple(each.requires_grad_() for each in model.draw(2, seeded()))
    model.decode(latents).sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in latents)


def test_the_kl_by_hand():
    mean = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    log_variance = torch.tensor([[0.0, math.log(4.0)], [0.0, 0.0]])
    # half of (mean^2 + variance - 1 - log variance): .5 * 1, and .5 * (4 - 1 - log 4)
    by_hand = torch.tensor([0.5 + 0.5 * (3 - math.log(4)), 0.0])
    torch.testing.assert_close(divergence(mean, log_variance), by_hand)


def test_the_vaes_loss_is_the_bound_in_nats_an_image():
    images = blobs(8)
    model = fresh_generator(config("ladder"), images.shape, 0)
    assert isinstance(model, Vae)
    rows = torch.arange(8)
    step = vae_loss(images, 0.5, model.latents)(model, rows, seeded())
    g = seeded()
    noise = [torch.randn(8, width, generator=g) for width in (2, 6)]
    pixels = images.batch(rows)
    found = model.posterior(pixels)
    drawn = [m + (v / 2).exp() * e for (m, v), e in zip(found, noise, strict=True)]
    told = binary_cross_entropy(model.decode(tuple(drawn)), pixels, reduction="none").sum() / 8
    kl = sum(divergence(*each).mean() for each in found)
    torch.testing.assert_close(step.loss, told + 0.5 * kl, rtol=1e-4, atol=1e-3)


def test_each_half_of_a_gan_learns_from_its_own_term_alone():
    images = blobs(8)
    model = fresh_generator(config("gan"), images.shape, 0)
    pixels, latents = images.batch(torch.arange(8)), model.draw(8, seeded())
    real, caught, passed = model(pixels, latents)
    torch.testing.assert_close(caught, passed)
    step = gan_loss(images, model.latents)(model, torch.arange(8), seeded())
    by_hand = softplus(-real).mean() + softplus(caught).mean() + softplus(-passed).mean()
    torch.testing.assert_close(step.loss, by_hand)

    def moved(loss):
        model.zero_grad()
        loss.backward(retain_graph=True)
        parts = (model.critic, model.decoder)
        return [any(p.grad is not None and p.grad.any() for p in m.parameters()) for m in parts]

    assert moved(softplus(-real).mean() + softplus(caught).mean()) == [True, False]
    assert moved(softplus(-passed).mean()) == [False, True]


def test_pca_is_that_of_the_pixels():
    images = blobs(40)
    model = learn_generator(config("pca", latents=(3,)), images, Run(seed=0))
    assert isinstance(model, PcaGaussian)
    flat = images.pixels.reshape(40, -1) / 255
    _, singular, _ = np.linalg.svd(flat - flat.mean(0))
    lengths = model.components.square().sum(1).sqrt()
    np.testing.assert_allclose(lengths[:2], singular[:2] / 40**0.5, rtol=1e-3)
    latents = model.encode(images.batch(torch.arange(40)))[0]
    assert latents[:, 0].std(correction=0) == pytest.approx(1, abs=1e-3)


def test_samples_come_to_look_like_the_images():
    images = blobs(64)
    pixels = images.batch(torch.arange(64))
    far = {}
    for name in ("vae", "diffusion"):
        knobs = {"steps": 200, "batch": 32, "lr": 5e-3, "widths": (16, 32)}
        model = learn_generator(config(name, **knobs), images, Run(seed=0))
        made = model.sample(64, seeded())
        nearest = torch.cdist(made.flatten(1), pixels.flatten(1)).min(1).values.mean()
        noise = torch.cdist(torch.rand(64, 120), pixels.flatten(1)).min(1).values.mean()
        far[name] = (nearest / noise).item()
    assert max(far.values()) < 0.6, far


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: config("pca", latents=(2, 3)), "2 levels of latents; expected at most 1"),
        (lambda: config("vae", latents=(2, 3, 4)), "3 levels of latents; expected at most 2"),
        (lambda: learn_generator(config("vae"), blobs(4), Run()), "4 images to learn a generator"),
        (lambda: fresh_generator(config("diffusion"), (1, 9, 8), 0), "expected even sides"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(ask, says):
    with pytest.raises(InputError, match=says) as error:
        ask()
    assert "\n" not in str(error.value)
