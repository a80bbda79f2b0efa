import numpy as np
import polars as pl
import pytest
from PIL import Image

from contraview.core.errors import InputError
from contraview.modalities.images.data import read_images
from contraview.modalities.images.masks import MaskedSource, read_masked

GREY = np.random.default_rng(0).integers(0, 256, (4, 6, 5)).astype(np.uint8)
MASKS = (GREY > 99).astype(np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path):
    """Four images, of which two have masks."""
    for row in range(4):
        save(tmp_path / "images" / f"{row}.png", GREY[row])
    for row in (1, 3):
        save(tmp_path / "masks" / f"{row}.png", 255 * MASKS[row])
    return tmp_path


def test_images_without_a_mask_are_unlabelled(folders):
    images = MaskedSource(masks=str(folders / "masks")).read(folders / "images")
    assert images.masked.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(images.masks[[1, 3]], MASKS[[1, 3]])
    assert not images.masks[[0, 2]].any()
    assert images.notes()[1] == "2 of them have a mask"
    assert images.take([3, 0]).masked.tolist() == [True, False]
    assert images.fingerprint() != read_images(folders / "images").fingerprint()


def test_an_empty_cell_is_no_mask(folders):
    table = pl.DataFrame({"file": ["images/0.png", "images/1.png"], "mask": ["", "masks/1.png"]})
    table.write_csv(folders / "t.csv")
    images = MaskedSource(masks="mask").read(folders / "t.csv")
    assert images.masked.tolist() == [False, True]


def test_masks_from_arrays_and_lists():
    images = read_masked(GREY, [None, MASKS[1] * 255, None, MASKS[3] > 0])
    assert images.masked.tolist() == [False, True, False, True]
    assert set(np.unique(images.masks)) == {0, 1, 255}  # not all masks hold 0 and 255 alone
    whole = read_masked(GREY, MASKS * 2)
    assert whole.masked.all()
    assert set(np.unique(whole.masks)) == {0, 2}
    assert read_masked(whole) is whole


@pytest.mark.parametrize(
    ("masks", "says"),
    [
        (MASKS[:3], "3 masks for 4 images"),
        ([None] * 4, "no image has a mask"),
        ([None, MASKS[1][:5], None, None], "mask of image 1: 5 x 5 pixels for an image of 5 x 6"),
        (MASKS * 0.5, "float64 from 0.0 to 0.5; expected class numbers"),
        (MASKS.astype(int) * 999, "int64 from 0 to 999"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(masks, says):
    with pytest.raises(InputError, match=says) as error:
        read_masked(GREY, masks)
    assert "\n" not in str(error.value)


def test_a_mask_of_another_size_is_named_by_its_image(folders):
    save(folders / "masks" / "3.png", np.zeros((6, 4), np.uint8))
    with pytest.raises(InputError, match=r"images/3.png: 4 x 6 pixels for an image of 5 x 6"):
        read_masked(folders / "images", folders / "masks")


def test_two_masks_of_a_name_are_refused(folders):
    save(folders / "masks" / "3.tif", MASKS[3])
    with pytest.raises(InputError, match="2 masks named 3"):
        read_masked(folders / "images", folders / "masks")
