import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.seeds import torch_generator
from contraview.modalities.images import views
from contraview.modalities.images.views import ViewConfig

PIXELS = torch.rand(6, 3, 12, 16, generator=torch_generator(0, "pixels"))
GREY = PIXELS[:, :1]


def generator(seed=0):
    return torch_generator(seed, "views")


@given(st.floats(0.05, 1), st.floats(1, 3), st.floats(0, 180), st.floats(0, 2), st.integers(0, 99))
def test_a_view_is_an_image_again(crop, ratio, rotate, jitter, seed):
    config = ViewConfig(crop=crop, ratio=ratio, rotate=rotate, jitter=jitter)
    for pixels in (PIXELS, GREY):
        view = config(pixels, generator(seed))
        assert view.shape == pixels.shape
        assert ((view >= -1e-6) & (view <= 1 + 1e-6)).all()
        assert torch.equal(view, config(pixels, generator(seed)))


def test_with_everything_off_nothing_changes():
    off = ViewConfig(crop=0, flip=0, jitter=0, grey=0, blur=0)
    assert torch.equal(off(PIXELS, generator()), PIXELS)


def test_the_whole_image_as_crop_is_the_image():
    torch.testing.assert_close(views.moved(PIXELS, generator()), PIXELS)


def test_a_flip_mirrors_and_half_a_turn_turns():
    torch.testing.assert_close(views.moved(PIXELS, generator(), flip=1.0), PIXELS.flip(3))
    square = PIXELS[..., :12]
    turned = [views.moved(square, generator(seed), rotate=90.0) for seed in range(3)]
    assert not torch.allclose(turned[0], turned[1])


def test_rotation_by_a_right_angle_is_exact(monkeypatch):
    square = PIXELS[..., :12]
    monkeypatch.setattr(
        views, "_uniform", lambda n, g, low=0.0, high=1.0: torch.full((n,), float(high))
    )
    turned = views.moved(square, generator(), rotate=90.0)
    torch.testing.assert_close(turned, square.rot90(1, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 64), (1, 5), (33, 17)])
def test_without_rotation_the_places_are_those_of_affine_grid_to_the_last_bit(height, width):
    rows = torch.randn(7, 2, 3, generator=generator())
    rows[:, 0, 1] = rows[:, 1, 0] = 0
    shape = [7, 3, height, width]
    expected = torch.nn.functional.affine_grid(rows, shape, align_corners=False)
    assert torch.equal(views._upright(rows, shape), expected)


def test_a_crop_shows_only_what_lies_within_it():
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    cut = views.moved(ramp, generator(), crop=0.25)
    seen = cut.amax((1, 2, 3)) - cut.amin((1, 2, 3))
    assert 0.45 < seen.min() < 0.6
    assert seen.max() > 0.9
    assert (cut.amin((1, 2, 3)) > 0.2).any()


def test_each_image_has_its_own_draw():
    same = PIXELS[:1].expand(6, -1, -1, -1)
    view = ViewConfig()(same, generator())
    assert len({each.numpy().tobytes() for each in view}) == 6


def test_chances_are_kept():
    many = PIXELS[:1].expand(2000, -1, -1, -1)
    for config, share in (
        (ViewConfig(crop=0, flip=0.3, jitter=0, grey=0, blur=0), 0.3),
        (ViewConfig(crop=0, flip=0, jitter=0.5, jitter_chance=0.8, grey=0, blur=0), 0.8),
        (ViewConfig(crop=0, flip=0, jitter=0, grey=0.2, blur=0), 0.2),
        (ViewConfig(crop=0, flip=0, jitter=0, grey=0, blur=0.5, blur_sigma=56), 0.5),
    ):
        changed = (config(many, generator()) - many).abs().amax((1, 2, 3)) > 1e-4
        assert changed.float().mean() == pytest.approx(share, abs=0.04)


def test_grey_has_no_colour_and_keeps_its_brightness():
    grey = views.greyed(PIXELS, generator(), chance=1.0)
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(views.luma(grey), views.luma(PIXELS))


def test_hue_alone_keeps_the_luma_and_a_full_turn_is_nothing():
    turned = torch.einsum("nij,njhw->nihw", views._hue(torch.full((6,), 1.0)), PIXELS)
    torch.testing.assert_close(views.luma(turned), views.luma(PIXELS), atol=1e-4, rtol=0)
    full = torch.einsum("nij,njhw->nihw", views._hue(torch.full((6,), 2 * torch.pi)), PIXELS)
    torch.testing.assert_close(full, PIXELS, atol=1e-4, rtol=0)


def test_a_blur_keeps_a_flat_image_and_smooths_a_rough_one():
    flat = torch.full((2, 3, 12, 16), 0.7)
    torch.testing.assert_close(views.blurred(flat, generator(), sigma=2.0), flat)
    rough = views.blurred(PIXELS, generator(), sigma=2.0)
    assert (rough.std((2, 3)) <= PIXELS.std((2, 3)) + 1e-6).all()


@pytest.mark.parametrize("sigma", [0.4, 1.5, 4.0], ids=["narrow", "narrow too", "wide"])
def test_a_blur_is_the_gaussian_of_what_lies_inside(sigma):
    from scipy.ndimage import gaussian_filter

    image = torch.rand((2, 3, 41, 48), generator=generator())
    ours = views.smoothed(image, torch.tensor([sigma, sigma / 2]))
    for each, blurred, width in zip(image, ours, (sigma, sigma / 2), strict=True):
        for channel, found in zip(each.numpy(), blurred, strict=True):
            kernel = {"sigma": width, "mode": "constant", "truncate": 10.0}
            inside = gaussian_filter(np.ones_like(channel), **kernel)
            theirs = torch.from_numpy(gaussian_filter(channel, **kernel) / inside)
            torch.testing.assert_close(found, theirs, atol=2e-4, rtol=0)


def test_a_jitter_by_hand_is_brightness_contrast_saturation_and_hue_one_after_the_other(
    monkeypatch,
):
    drawn = iter([1.3, 0.8, 1.2, 0.05 * 0.9])

    def uniform(n, g, low=0.0, high=1.0):
        return torch.full((n,), next(drawn, 0.0))

    monkeypatch.setattr(views, "_uniform", uniform)
    pixels = 0.3 + 0.2 * PIXELS  # nothing is cut on the way
    found = views.jittered(pixels, generator(), strength=0.5)
    bright = 1.3 * pixels
    middle = views.luma(bright).mean((1, 2, 3), keepdim=True)
    contrasted = middle + 0.8 * (bright - middle)
    grey = views.luma(contrasted)
    saturated = grey + 1.2 * (contrasted - grey)
    turn = views._hue(torch.full((6,), 0.05 * 0.9 * 2 * torch.pi))
    expected = torch.einsum("nij,njhw->nihw", turn, saturated)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_what_is_not_chosen_is_not_touched():
    view = views.greyed(PIXELS, generator(), chance=0.5)
    same = (view == PIXELS).flatten(1).all(1)
    assert 0 < same.sum() < 6
    assert torch.equal(views.greyed(PIXELS, generator(), chance=0.0), PIXELS)
