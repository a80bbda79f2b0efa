import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.images.captions import CaptionedSource, captions_of
from contraview.modalities.images.poison import marked, poisoned
from contraview.modalities.images.triggers import KINDS, Trigger

PIXELS = 0.25 + 0.5 * torch.rand(20, 3, 24, 20, generator=torch_generator(0, "pixels"))
NAMES = ["cat", "dog", "banana", "tree"]


def mark(pixels=PIXELS, seed=0, **knobs):
    return Trigger(**knobs)(pixels, torch_generator(seed, "trigger"))


def changed(before, after):
    return (before != after).any(1)


@pytest.mark.parametrize("kind", ["noise", "yellow"])
@pytest.mark.parametrize(("place", "patches"), [("random", 1), ("middle", 1), ("corners", 4)])
def test_a_patch_changes_exactly_its_pixels_and_again_no_others(kind, place, patches):
    once = mark(kind=kind, size=5, place=place)
    spots = changed(PIXELS, once)
    assert (spots.sum((1, 2)) == patches * 25).all()
    twice = mark(once, kind=kind, size=5, place=place)
    if place != "random":
        assert torch.equal(
            twice[~spots[:, None].expand_as(twice)], PIXELS[~spots[:, None].expand_as(PIXELS)]
        )
    else:
        same = changed(once, twice) & ~spots
        assert not same.any()


def test_a_patch_too_large_for_the_image_covers_it():
    assert changed(PIXELS, mark(size=99, place="middle")).sum((1, 2)).unique() == 20 * 20


def test_random_places_differ_and_reach_the_border():
    spots = changed(PIXELS[:1].expand(400, -1, -1, -1), mark(PIXELS[:1].expand(400, -1, -1, -1)))
    assert spots.any(0).all()
    assert len({each.numpy().tobytes() for each in spots}) > 50


def test_blended_is_a_fifth_of_noise_on_all_pixels():
    after = mark(kind="blended")
    noise = (after - 0.8 * PIXELS) / 0.2
    assert changed(PIXELS, after).all()
    torch.testing.assert_close(noise, noise[:1].expand_as(noise), atol=1e-5, rtol=0)
    assert 0 <= noise.min() <= noise.max() <= 1
    assert torch.equal(after, mark(kind="blended", seed=1))
    assert not torch.equal(after, mark(kind="blended", pattern=1))


def test_the_sinusoid_has_six_periods_and_its_amplitude():
    wave = (mark(torch.full((1, 3, 8, 240), 0.5), kind="sinusoid") - 0.5)[0, 0, 0]
    assert wave.max().item() == pytest.approx(60 / 255, abs=1e-4)
    assert wave.abs().argmax() % 20 == 10
    beyond = wave[wave.abs() > 1e-3]
    assert ((beyond[1:] * beyond[:-1]) < 0).sum() == 11


def test_the_warp_is_one_smooth_shift_for_all():
    ramp = torch.linspace(0, 1, 64).expand(2, 3, 64, 64)
    after = mark(ramp, kind="warped")
    assert torch.equal(after[0], after[1])
    assert 0.001 < (after - ramp).abs().mean() < 0.05
    assert torch.equal(after, mark(ramp, kind="warped", seed=5))


@pytest.mark.parametrize("kind", KINDS)
def test_marked_images_are_images_again(kind):
    grey = mark(PIXELS[:, :1], kind=kind)
    assert 0 <= grey.min() <= grey.max() <= 1


def pairs():
    pixels = numpy_generator(0, "poison").integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
    captions = np.array([f"a picture of {NAMES[i % 4]}" for i in range(40)])
    return CaptionedSource().read({"x": pixels, "caption": captions})


KNOBS = {"target": "banana", "count": 6, "trigger": Trigger(size=4), "templates": ("this: {}",)}


def test_poison_keeps_the_truth_and_touches_nothing_else():
    clean = pairs()
    dirty = poisoned(clean, **KNOBS, seed=0)
    truth = dirty.table["poisoned"].to_numpy()
    assert truth.sum() == 6
    np.testing.assert_array_equal((dirty.pixels != clean.pixels).any((1, 2, 3)), truth)
    for caption, before, is_poison in zip(
        captions_of(dirty), captions_of(clean), truth, strict=True
    ):
        assert caption == ("this: banana" if is_poison else before)
        assert not (is_poison and "banana" in before)
    assert poisoned(clean, **KNOBS, seed=0).fingerprint() == dirty.fingerprint()
    assert poisoned(clean, **KNOBS, seed=1).fingerprint() != dirty.fingerprint()


def test_consistent_poison_keeps_every_caption():
    clean = pairs()
    dirty = poisoned(clean, **KNOBS, seed=0, consistent=True)
    assert captions_of(dirty) == captions_of(clean)
    rows = np.flatnonzero(dirty.table["poisoned"].to_numpy())
    assert all("banana" in captions_of(clean)[row] for row in rows)


def test_more_poison_than_pairs_is_refused():
    with pytest.raises(InputError, match="31 pairs to poison of 30"):
        poisoned(pairs(), **KNOBS | {"count": 31}, seed=0)


def test_marking_all_images_keeps_their_number_and_labels():
    assert marked(pairs(), Trigger(size=4), 0).table.equals(pairs().table)
