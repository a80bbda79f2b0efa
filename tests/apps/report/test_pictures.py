"""What a report shows of a model of images."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contraview.apps.cli import main
from contraview.apps.report.pictures import CELL, GAP, OTHER, UNNAMED, pictures_of, sheet
from contraview.core.errors import InputError
from contraview.modalities.images.data import read_images

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_images


class Direct:
    """Embeds an image by its mean colour."""

    slug = "direct"

    class config:  # noqa: N801
        pass

    def embed(self, images):
        return images.pixels.mean((2, 3)).astype(np.float64)


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def of_colours(colours):
    return read_images(np.tile(np.array(colours, np.uint8)[:, None, None], (1, 8, 8, 1)))


def test_a_sheet_puts_each_image_in_its_place_pixel_by_pixel():
    rows = [np.full((2, 3, 4, 4), 10, np.uint8), np.full((1, 1, 4, 4), 200, np.uint8)]
    rows[0][1, 0] = 90
    found = opened(sheet(rows))
    assert found.shape == (2 * CELL + GAP, 2 * CELL + GAP, 3)
    assert found[0, 0].tolist() == [10, 10, 10]
    assert found[CELL // 2, -1].tolist() == [90, 10, 10]
    assert found[-1, 0].tolist() == [200, 200, 200]
    assert found[-1, -1].tolist() == [255, 255, 255]


def test_neighbours_are_those_of_the_largest_cosine_and_never_the_image_itself():
    reds = [(200 + i, 0, 0) for i in range(4)]
    blues = [(0, 0, 200 + i) for i in range(4)]
    pictures = pictures_of(Direct(), of_colours(reds + blues))
    found = opened(pictures.neighbours)
    for row in range(8):
        y = row * (CELL + GAP) + CELL // 2
        colours = [tuple(found[y, x * (CELL + GAP) + CELL // 2]) for x in range(7)]
        own, nearest = colours[0], colours[1:4]
        channel = int(np.argmax(own))
        assert all(int(np.argmax(each)) == channel for each in nearest)
        assert own not in colours[1:]
    assert pictures.views is None
    assert set(pictures.map.groups) == {UNNAMED}


def test_rare_classes_share_a_colour_on_the_map():
    names = np.array([f"kind {i // 2}" for i in range(40)])
    images = read_images({"x": np.zeros((40, 8, 8, 3)), "kind": names}, labels="kind")
    groups = pictures_of(Direct(), images).map.groups
    assert len(set(groups)) == 13
    assert (groups == OTHER).sum() == 16


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(InputError, match="1 images to show"):
        pictures_of(Direct(), of_colours([(1, 2, 3)]))
    with pytest.raises(InputError, match="pictures are made of images"):
        pictures_of(Direct(), np.zeros((3, 2)))


def test_the_report_of_a_fit_shows_views_neighbours_and_a_map(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=tiny_images.pixels(), kind=tiny_images.labels())
    data, model = str(tmp_path / "x.npz"), tmp_path / "model"
    knobs = ["--widths", "8", "16", "--steps", "4", "--batch", "8"]
    assert main(["fit", "simclr", data, "--labels", "kind", "--out", str(model), *knobs]) == 0
    assert main(["report", str(model)]) == 0
    assert "<img" not in (model / "report.html").read_text()
    assert main(["report", str(model), "--data", data]) == 0
    page = (model / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    for words in ("Nearest neighbours", "Map of the embeddings", "slanted", "--widths 8 16"):
        assert words in page
    assert main(["report", str(model), "--data", data, "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == page
    capsys.readouterr()
    assert main(["report", str(model), "--data", str(tmp_path / "none")]) == 2
