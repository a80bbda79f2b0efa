import numpy as np
import polars as pl
import pytest
import tifffile
import torch
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator
from contraview.modalities.images.bands import Bands, BandScale, read_bands
from contraview.modalities.images.data import read_images
from contraview.modalities.images.views import ViewConfig, jittered

G = np.random.default_rng(0)
VALUES = G.integers(100, 5000, (6, 5, 12, 16), dtype=np.uint16)


def write(path, values, **how):
    tifffile.imwrite(path, values, photometric="minisblack", **how)


@pytest.mark.parametrize("kind", ["planes first", "planes last", "one band", "floats"])
def test_geotiff_of_any_layout_and_type_gives_bands_as_they_are(tmp_path, kind):
    image = VALUES[0]
    if kind == "planes first":
        write(tmp_path / "a.tif", image, planarconfig="separate")
    elif kind == "planes last":
        write(tmp_path / "a.tif", image.transpose(1, 2, 0), planarconfig="contig")
    elif kind == "one band":
        image = image[:1]
        write(tmp_path / "a.tif", image[0])
    else:
        image = image.astype(np.float32) / 7
        write(tmp_path / "a.tif", image, planarconfig="separate", compression="zlib")
    found = read_bands(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels[0], image)
    assert found.pixels.dtype == image.dtype


def test_a_folder_a_table_and_an_archive_give_the_same(tmp_path):
    for i, image in enumerate(VALUES):
        write(tmp_path / f"{i}.tif", image, planarconfig="separate")
    cover = ["water;forest", "water", "", "forest", "water", "forest"]
    files = [f"{i}.tif" for i in range(6)]
    pl.DataFrame({"file": files, "cover": cover}).write_csv(tmp_path / "scenes.csv")
    np.savez(tmp_path / "scenes.npz", bands=VALUES, cover=np.array(cover))
    table = read_bands(tmp_path / "scenes.csv", labels="cover")
    archive = read_bands(tmp_path / "scenes.npz", labels="cover")
    for found in (read_bands(tmp_path), table, archive):
        np.testing.assert_array_equal(found.pixels, VALUES)
    for found in (table, archive, archive.take(range(6))):
        assert found.labels().tolist() == cover
    assert "16 x 12 pixels in 5 bands" in table.notes()[0]


def test_bands_last_bands_chosen_and_the_middle_cut():
    found = read_bands(VALUES.transpose(0, 2, 3, 1), bands=(4, 1), size=8)
    np.testing.assert_array_equal(found.pixels, VALUES[:, [3, 0], 2:10, 4:12])
    grey = read_bands(VALUES[:, 0])
    assert grey.shape == (1, 12, 16)


def test_ordinary_images_are_bands_of_0_to_255(tmp_path):
    colour = G.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "a.png")
    found = read_bands(tmp_path / "a.png")
    np.testing.assert_array_equal(found.pixels[0], colour.transpose(2, 0, 1))
    same = read_bands(read_images(tmp_path / "a.png"))
    assert isinstance(same, Bands)
    np.testing.assert_array_equal(same.pixels, found.pixels)


def test_quantisation_by_hand():
    """Values 0 and 10: mean 5, deviation 5, so -5 to 15 becomes 0 to 255; fractions are dropped."""
    values = np.zeros((2, 1, 4, 4))
    values[1] = 10
    bands = read_bands(values)
    scale = BandScale.of(bands)
    assert (scale.low[0], scale.high[0]) == (-5, 15)
    scaled = bands.scaled(scale)
    assert scaled.pixels.dtype == np.uint8
    assert np.unique(scaled.pixels).tolist() == [63, 191]  # 63.75 and 191.25
    beyond = read_bands(np.full((1, 1, 4, 4), 99.0)).scaled(scale)
    assert (beyond.pixels == 255).all()
    assert (read_bands(np.full((1, 1, 4, 4), -99.0)).scaled(scale).pixels == 0).all()


def test_each_band_has_its_own_range_and_scaling_twice_is_scaling_once():
    bands = read_bands(VALUES)
    scale = BandScale.of(bands)
    mean, spread = VALUES.mean((0, 2, 3)), VALUES.std((0, 2, 3))
    np.testing.assert_allclose(scale.low, mean - 2 * spread)
    np.testing.assert_allclose(scale.high, mean + 2 * spread)
    scaled = bands.scaled(scale)
    assert scaled.scaled(BandScale(scale.low, scale.high)) is scaled
    with pytest.raises(InputError, match="scaled for another model"):
        scaled.scaled(BandScale(scale.low - 1, scale.high))
    with pytest.raises(InputError, match="3 bands; expected 5"):
        read_bands(VALUES[:, :3]).scaled(scale)
    with pytest.raises(InputError, match="no range yet"):
        bands.batch(torch.arange(2))
    assert scaled.batch(torch.arange(2)).max() <= 1
    flat = BandScale.of(read_bands(np.full((2, 1, 4, 4), 7.0)))
    assert flat.high > flat.low


def test_colour_views_of_many_bands_change_brightness_and_contrast_and_grey_is_the_mean():
    pixels = torch.rand((4, 5, 8, 8), generator=torch_generator(0))
    bright = jittered(pixels, torch_generator(1), strength=0.5)
    assert bright.shape == pixels.shape
    assert not torch.equal(bright, pixels)
    grey = ViewConfig.of(crop=0, flip=0, jitter=0, blur=0, grey=1.0)(pixels, torch_generator(2))
    torch.testing.assert_close(grey, pixels.mean(1, keepdim=True).expand_as(pixels))


def test_what_does_not_fit_is_named(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0 this is none")
    with pytest.raises(InputError, match=r"broken\.tif: cannot be read as TIFF") as error:
        read_bands(tmp_path / "broken.tif")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="has bands 1 to 5"):
        read_bands(VALUES, bands=(0, 1))
    with pytest.raises(InputError, match="16 x 12 pixels; expected 14 or more"):
        read_bands(VALUES, size=14)
    with pytest.raises(InputError, match="expected numbers"):
        read_bands(np.full((2, 3, 8, 8), np.nan))
    with pytest.raises(InputError, match="expected images as"):
        read_bands(np.zeros(5))
    write(tmp_path / "a.tif", VALUES[0], planarconfig="separate")
    write(tmp_path / "b.tif", VALUES[0, :3], planarconfig="separate")
    with pytest.raises(InputError, match=r"in 5 bands and of .*in 3 bands"):
        read_bands([tmp_path / "a.tif", tmp_path / "b.tif"])
