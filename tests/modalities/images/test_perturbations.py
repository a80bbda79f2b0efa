import io

import numpy as np
import pytest
import torch
from PIL import Image

from contraview.core.seeds import torch_generator
from contraview.modalities.images import perturbations
from contraview.modalities.images.data import read_images
from contraview.modalities.images.perturbations import (
    FAMILIES,
    RANGES,
    Perturbation,
    bank,
    perturbed,
)

PIXELS = torch.rand(12, 3, 20, 16, generator=torch_generator(0, "pixels"))
KINDS = list(RANGES)


def applied(kind, level, pixels=PIXELS, seed=0):
    return Perturbation.of(kind=kind, level=level)(pixels, torch_generator(seed, "perturb"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
def test_a_perturbed_image_is_an_image_and_the_same_by_seed(kind, severity):
    for pixels in (PIXELS, PIXELS[:, :1], PIXELS[:1]):
        change = Perturbation.severe(kind, severity)
        once = change(pixels, torch_generator(0, "perturb"))
        assert once.shape == pixels.shape
        assert ((once >= -1e-6) & (once <= 1 + 1e-6)).all()
        assert torch.equal(once, change(pixels, torch_generator(0, "perturb")))


@pytest.mark.parametrize("kind", KINDS)
def test_severity_zero_is_next_to_nothing_and_more_is_more(kind):
    smooth = torch.nn.functional.interpolate(PIXELS[..., :4, :4], (24, 24), mode="bicubic")
    smooth = smooth.clamp(0, 1)
    far = [
        (Perturbation.severe(kind, s)(smooth, torch_generator(0, "p")) - smooth).abs().mean().item()
        for s in (0.0, 0.25, 1.0)
    ]
    assert far[0] < (0.02 if kind in ("jpeg", "webp") else 1e-4)
    assert far[0] < far[1] < far[2]


def test_every_kind_of_a_family_is_known_and_the_bank_has_six():
    assert len(FAMILIES) == len(bank()) == 6
    assert {kind for kinds in FAMILIES.values() for kind in kinds} <= set(KINDS)


def test_the_same_bank_for_everyone_and_another_by_seed():
    images = read_images((PIXELS[:, :, :16].permute(0, 2, 3, 1) * 255).byte().numpy())
    change = Perturbation.severe("noise", 0.5)
    first = perturbed(images, change, 3)
    np.testing.assert_array_equal(first.pixels, perturbed(images, change, 3).pixels)
    assert (first.pixels != perturbed(images, change, 4).pixels).any()
    assert len(perturbed(images.take([]), change, 0)) == 0


def test_noise_has_its_deviation_also_one_an_image():
    grey = torch.full((2, 1, 100, 100), 0.5)
    sigmas = torch.tensor([0.02, 0.1])
    noisy = perturbations.noisy(grey, torch_generator(0, "n"), sigma=sigmas)
    torch.testing.assert_close(noisy.std((1, 2, 3)), sigmas, atol=0.002, rtol=0)


def test_a_square_covers_its_share_anywhere_and_stripes_theirs():
    many = torch.zeros(2000, 1, 20, 20)
    square = applied("square", 0.5, many)
    assert (square.bool().sum((1, 2, 3)) == 100).all()
    assert square.amax(0).bool().all()
    stripes = applied("stripes", 0.4, torch.zeros(300, 1, 40, 40)).bool()
    assert stripes.float().mean((1, 2, 3)).allclose(torch.tensor(0.4), atol=1e-5)
    across = stripes.all(3).any((1, 2))
    assert 0.3 < across.float().mean() < 0.7


def test_an_object_is_another_image_in_one_corner():
    flat = torch.linspace(0.1, 1, 50).view(50, 1, 1, 1).expand(-1, 1, 12, 12)
    pasted = applied("object", 0.5, flat)
    changed = ~torch.isclose(pasted, flat)
    assert (changed.sum((1, 2, 3)) == 36).all()
    corners = changed[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners.sum(1) == 1).all()
    assert corners.any(0).all()
    values = flat[:, 0, 0, 0]
    assert (pasted[changed][:, None] - values).abs().min(1).values.max() < 1e-5


def test_jpeg_is_pillows_and_each_image_has_its_quality():
    quality = torch.tensor([5, 95] * 6)
    ours = perturbations.compressed(PIXELS, quality)
    far = (ours - PIXELS).abs().mean((1, 2, 3))
    assert far[1::2].max() < far[::2].min()
    room = io.BytesIO()
    image = (PIXELS[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(image).save(room, "JPEG", quality=5)
    theirs = np.asarray(Image.open(room)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(ours[0].numpy(), theirs, atol=1e-6)


def test_blocks_of_pixels_and_a_smaller_image_brought_back():
    blocks = applied("pixelate", 0.25, PIXELS[..., :16, :16]).view(12, 3, 4, 4, 4, 4)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    inner = (..., slice(4, -4))
    torch.testing.assert_close(applied("resize", 0.5, ramp)[inner], ramp[inner], atol=1e-3, rtol=0)


def test_a_right_angle_is_exact_and_goes_both_ways():
    square = PIXELS[..., :16, :16]
    turned = applied("rotate", 90.0, square)
    left = torch.isclose(turned, square.rot90(1, (2, 3)), atol=1e-4).flatten(1).all(1)
    right = torch.isclose(turned, square.rot90(-1, (2, 3)), atol=1e-4).flatten(1).all(1)
    assert (left ^ right).all()
    assert left.any()
    assert right.any()


def test_contrast_keeps_the_mean_and_styles_are_what_they_say():
    grey = PIXELS[:, :1]
    weak = applied("contrast", 0.75, grey)
    torch.testing.assert_close(weak.mean((1, 2, 3)), grey.mean((1, 2, 3)))
    torch.testing.assert_close(weak.std((1, 2, 3)), grey.std((1, 2, 3)) / 4)
    torch.testing.assert_close(applied("inverted", 1.0), 1 - PIXELS)
    spot = torch.zeros(1, 1, 7, 7)
    spot[0, 0, 3, 3] = 1
    assert applied("dilated", 1.0, spot).sum() == 9
    assert applied("edges", 1.0, torch.ones(1, 1, 7, 7)).abs().max() == 0
    step = torch.cat([torch.zeros(1, 1, 6, 3), torch.ones(1, 1, 6, 3)], 3)
    assert applied("edges", 1.0, step)[0, 0, 0].tolist() == [0, 0, 1, 1, 0, 0]
