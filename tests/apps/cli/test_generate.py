"""`contraview fit pixcell` and `generate`, as somebody types them."""

import numpy as np
import pytest
from PIL import Image

from contraview.apps.cli import main

KNOBS = (
    "--tile 16 --size 8 --embedder-widths 8 8 --embedder-steps 2 --embedder-batch 4 --width 16 "
    "--depth 1 --heads 2 --times 10 --steps 2 --batch 4 --sampling-steps 2"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One large image and a model of its tiles."""
    root = tmp_path_factory.mktemp("generate")
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "slide.png")
    Image.fromarray(pixels[:8, :8]).save(root / "small.png")
    Image.fromarray(pixels[:16, :16, 0]).save(root / "grey.png")
    fit = ["fit", "pixcell", str(root / "slide.png"), "--out", str(root / "model")]
    assert main([*fit, *KNOBS.split()]) == 0
    return root


def written(folder):
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


def test_tiles_like_references_are_named_after_them(root, tmp_path, capsys):
    # the references are cut into tiles as the slide was, so here they are one tile each
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "dark.png")
    out = tmp_path / "made"
    asked = ["generate", str(root / "model"), str(tmp_path / "dark.png"), "--out", str(out)]
    assert main([*asked, "--count", "3", "--seed", "4"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    made = written(out)
    assert list(made) == [f"dark_y0_x0_{copy}.png" for copy in range(3)]
    assert all(pixels.shape == (8, 8, 3) for pixels in made.values())
    again = tmp_path / "again"
    asked[-1] = str(again)
    assert main([*asked, "--count", "3", "--seed", "4"]) == 0
    for one, other in zip(made.values(), written(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_tile_of_a_large_reference_gets_its_own_name(root, tmp_path):
    asked = ["generate", str(root / "model"), str(root / "slide.png"), "--out", str(tmp_path / "o")]
    assert main(asked) == 0
    assert len(written(tmp_path / "o")) == 12


def test_without_references_tiles_are_numbered(root, tmp_path):
    asked = ["generate", str(root / "model"), "--count", "2", "--out", str(tmp_path / "o")]
    assert main(asked) == 0
    assert list(written(tmp_path / "o")) == ["made_0.png", "made_1.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "MODEL"], "--out"),
        (["generate", "MODEL", "--out", "x", "--count", "0"], "--count 0; expected at least 1"),
        (["generate", "MODEL", "nowhere.png", "--out", "x"], "nowhere.png: no such file"),
        (["generate", "MODEL", "small.png", "--out", "x"], "hold no tile of 16"),
        (["generate", "MODEL", "grey.png", "--out", "x"], "expected 8 x 8 pixels in colour"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(root, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(root)
    assert main([{"MODEL": "model"}.get(each, each) for each in arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (root / "x").exists()
