import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.tiles import TileSource, read_tiles


@given(
    height=st.integers(4, 30),
    width=st.integers(4, 30),
    side=st.integers(4, 8),
    colour=st.booleans(),
)
def test_tiles_are_the_image_cut_up(height, width, side, colour):
    shape = (2, height, width, 3) if colour else (2, height, width)
    whole = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    if height < side or width < side:
        with pytest.raises(InputError, match=f"hold no tile of {side}"):
            read_tiles(whole, tile=side)
        return
    tiles = read_tiles(whole, tile=side)
    assert len(tiles) == 2 * (height // side) * (width // side)
    for pixels, (row, y, x) in zip(tiles.pixels, tiles.table.iter_rows(), strict=True):
        piece = whole[row, y : y + side, x : x + side]
        np.testing.assert_array_equal(pixels, piece.transpose(2, 0, 1) if colour else piece[None])


def test_a_file_is_cut_before_its_tiles_are_brought_to_their_size(tmp_path):
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "slide.png")
    tiles = read_tiles(tmp_path / "slide.png", tile=20, size=8)
    assert tiles.pixels.shape == (6, 3, 8, 8)
    assert (tiles.pixels == 90).all()
    assert tiles.table["y"].to_list() == [0, 0, 0, 20, 20, 20]
    assert tiles.table["file"].n_unique() == 1


def test_empty_glass_is_left_out():
    whole = np.full((1, 8, 16), 240, np.uint8)
    whole[0, :, 12:] = 10
    tiles = read_tiles(whole, tile=8, texture=20)
    assert tiles.table["x"].to_list() == [8]
    with pytest.raises(InputError, match="no tile of 2 varies by 200 grey levels"):
        read_tiles(whole, tile=8, texture=200)


def test_tiles_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    tiles = TileSource().read(pixels)
    assert isinstance(tiles, Images)
    assert len(tiles) == 3
    assert TileSource(tile=4).read(tiles) is tiles
