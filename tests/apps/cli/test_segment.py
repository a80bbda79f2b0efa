"""`contraview fit`, `segment` and `evaluate` of images with masks, as somebody types them."""

import json

import numpy as np
import pytest
from PIL import Image

from contraview.apps.cli import main


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Five images in two folders, of which three have masks, and a model fitted on them."""
    root = tmp_path_factory.mktemp("segment")
    generator = np.random.default_rng(0)
    for row, folder in enumerate(["left", "left", "right", "right", "right"]):
        mask = np.zeros((24, 24), np.uint8)
        mask[:, 4 * row + 2 : 4 * row + 5] = 255
        noise = generator.integers(0, 40, mask.shape).astype(np.uint8)
        save(root / "images" / folder / f"{row}.png", 180 - mask // 2 + noise)
        if row < 3:
            save(root / "masks" / folder / f"{row}.png", mask)
    knobs = "--widths 4 8 --crop 16 --patch 4 --shift 2 --steps 2 --batch 4 --finetune-steps 2"
    fit = ["fit", "cm_unet", str(root / "images"), "--masks", str(root / "masks")]
    assert main([*fit, "--out", str(root / "model"), *knobs.split()]) == 0
    return root


def test_masks_are_written_under_the_images_names(folders, capsys):
    out = folders / "drawn"
    assert (
        main(["segment", str(folders / "model"), str(folders / "images"), "--out", str(out)]) == 0
    )
    assert capsys.readouterr().out == f"{out}\n"
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert written == ["left/0.png", "left/1.png", "right/2.png", "right/3.png", "right/4.png"]
    mask = np.asarray(Image.open(out / "right" / "4.png"))
    assert mask.shape == (24, 24)
    assert set(np.unique(mask)) <= {0, 255}
    again = ["segment", str(folders / "model"), str(folders / "images"), "--out", str(out)]
    assert main(again) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err


def test_written_masks_are_read_back_and_agree_with_themselves(folders, capsys, tmp_path):
    model, images = str(folders / "model"), str(folders / "images")
    assert main(["segment", model, images, "--out", str(tmp_path / "drawn")]) == 0
    figures = tmp_path / "figures.json"
    told = ["--masks", str(tmp_path / "drawn"), "--json", str(figures)]
    code = main(["evaluate", model, images, *told])
    found = capsys.readouterr()
    if code == 2:  # an untrained network may have found nothing at all
        assert "background alone" in found.err
        return
    assert json.loads(figures.read_text())["Dice"] == 1


def test_evaluate_judges_the_images_that_have_masks(folders, tmp_path):
    figures = tmp_path / "figures.json"
    told = ["--masks", str(folders / "masks"), "--json", str(figures)]
    assert main(["evaluate", str(folders / "model"), str(folders / "images"), *told]) == 0
    found = json.loads(figures.read_text())
    assert found["masks"] == 3
    assert set(found) == {"masks", "Dice", "IoU", "Hausdorff", "clDice"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["segment", "MODEL", "IMAGES"], "--out"),
        (["segment", "MODEL", "--out", "x"], "no data"),
        (["segment", "MODEL", "nowhere.png", "--out", "x"], "nowhere.png: no such file"),
        (["evaluate", "MODEL", "IMAGES"], "no truth; name it with --labels or --masks"),
        (["evaluate", "MODEL", "IMAGES", "--masks", "nowhere"], "no masks 'nowhere'"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(folders, capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(folders)
    places = {"MODEL": "model", "IMAGES": "images"}
    assert main([places.get(each, each) for each in arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (folders / "x").exists()
