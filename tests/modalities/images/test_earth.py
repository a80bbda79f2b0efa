import json

import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset
from contraview.modalities.images.earth import COVERS, sentinel_tiles


def chip(tmp_path, side=12):
    """West is forest, the middle bare, the east water, but for its last two columns."""
    blue, green, red, infrared = np.full((4, side, side), 1000)
    infrared[:, : side // 3] = 4000
    infrared[:, 2 * side // 3 :] = 500
    infrared[:, -2:] = 4000
    path = tmp_path / "S2_10m.json"
    path.write_text(json.dumps(np.stack([blue, green, red, infrared]).tolist()))
    return path


def test_tiles_have_covers_of_the_hidden_band_and_a_side(tmp_path):
    tiles = sentinel_tiles(chip(tmp_path), side=4)
    assert tiles.shape == (3, 4, 4)
    assert tiles.labels()[:3].tolist() == ["vegetation", "bare", "vegetation;water"]
    assert tiles.table["half"][:3].to_list() == ["west", "gap", "east"]
    assert tiles.table["x"][:3].to_list() == [0, 4, 8]
    assert (tiles.pixels == 1000).all()  # nothing is left of what the labels came from


def test_the_real_chip(shared_data):
    try:
        (path,) = dataset("sentinel2_chip")
    except InputError as missing:
        pytest.skip(str(missing))
    tiles = sentinel_tiles(path)
    assert len(tiles) == 18 * 18
    found = {part for label in tiles.labels() for part in label.split(";")}
    assert found <= set(COVERS)
    assert {"vegetation", "sparse", "bare"} <= found


def test_what_is_not_the_chip_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2")
    with pytest.raises(InputError, match="cannot be read as bands"):
        sentinel_tiles(tmp_path / "a.json")
    with pytest.raises(InputError, match="a side that fits three times"):
        sentinel_tiles(chip(tmp_path), side=5)
