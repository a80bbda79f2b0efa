import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.seeds import torch_generator
from contraview.modalities.images.crops import cut, cut_masks, random_places


def numbered(height, width):
    """An image whose pixels are all different up to 256, and a mask that holds the same."""
    image = (np.arange(height * width) % 251).astype(np.uint8).reshape(1, 1, height, width)
    return image, image[:, 0]


@given(
    seed=st.integers(0, 1000),
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    area=st.sampled_from([None, (0.1, 1.0), (1.0, 1.0)]),
)
def test_image_and_mask_are_cut_at_the_same_places_which_lie_inside(seed, height, width, area):
    image, mask = numbered(height, width)
    places = random_places(5, height, width, 8, torch_generator(seed, "crops"), area=area)
    for top, left, side, mirrored in places.tolist():
        assert mirrored in (0, 1)
        assert top >= 0
        assert left >= 0
        assert side == 8 or area
        assert top + side <= max(height, side)
        assert left + side <= max(width, side)
    rows = torch.zeros(5, dtype=torch.int64)
    pixels, classes = cut(image, rows, places, 8), cut_masks(mask, rows, places, 8)
    assert pixels.shape == (5, 1, 8, 8)
    assert classes.shape == (5, 8, 8)
    if area is None:
        assert torch.equal((pixels[:, 0] * 255).round().long(), classes)


def test_a_mask_keeps_its_classes_when_it_is_brought_to_another_size():
    mask = np.zeros((1, 30, 30), np.uint8)
    mask[:, 7:19, 3:11] = 9
    places = random_places(1, 30, 30, 8, torch_generator(0, "crops"), area=(1.0, 1.0), flip=0.0)
    found = cut_masks(mask, torch.zeros(1, dtype=torch.int64), places, 8)
    assert set(found.unique().tolist()) == {0, 9}


def test_beyond_a_small_image_its_edge_is_repeated():
    image, mask = numbered(4, 5)
    places = torch.tensor([[0, 0, 8, 0]])
    row = torch.zeros(1, dtype=torch.int64)
    crop = cut(image, row, places, 8)[0, 0]
    assert np.array_equal(crop[:4, :5] * 255, image[0, 0])
    assert torch.equal(crop[3], crop[7])
    assert torch.equal(crop[:, 4], crop[:, 7])
    assert cut_masks(mask, row, places, 8)[0, 7, 7] == mask[0, 3, 4]


def test_every_place_is_as_likely_and_mirroring_is_by_chance():
    places = random_places(4000, 10, 9, 8, torch_generator(0, "crops"), flip=0.25)
    assert torch.bincount(places[:, 0]).tolist() == pytest.approx([1333] * 3, abs=120)
    assert torch.bincount(places[:, 1]).tolist() == pytest.approx([2000] * 2, abs=120)
    assert places[:, 3].float().mean() == pytest.approx(0.25, abs=0.03)
