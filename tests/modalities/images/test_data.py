import gzip
import struct

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.items import Items
from contraview.core.seeds import numpy_generator
from contraview.modalities.images import intake
from contraview.modalities.images.arrays import read_idx
from contraview.modalities.images.data import read_images
from contraview.modalities.images.masks import MaskedSource

G = numpy_generator(0, "images")
COLOUR = G.integers(0, 256, (6, 10, 8, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def save(path, pixels, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)
    return path


@pytest.fixture
def classes(tmp_path):
    """Two classes in sub-folders, a text beside them."""
    for i, pixels in enumerate(COLOUR):
        save(tmp_path / "set" / ("cat" if i < 3 else "dog") / f"{i}.png", pixels)
    (tmp_path / "set" / "notes.txt").write_text("not an image")
    return tmp_path / "set"


def write_idx(path, array, kind=8):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    body = head + array.tobytes()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def test_a_folder_with_classes(classes):
    images = read_images(classes, labels="label")
    assert isinstance(images, Items)
    assert images.shape == (3, 10, 8)
    assert images.labels().tolist() == ["cat"] * 3 + ["dog"] * 3
    np.testing.assert_array_equal(images.pixels, COLOUR.transpose(0, 3, 1, 2))
    assert images.table.columns == ["file", "label"]
    assert any("1 files are no images" in line for line in images.notes())


def test_rows_parts_and_batches(classes, monkeypatch):
    images = read_images(classes)
    some = images.take([4, 1])
    np.testing.assert_array_equal(some.pixels, images.pixels[[4, 1]])
    assert some.table["file"].to_list() == images.table["file"].to_list()[4:0:-3]
    monkeypatch.setattr("contraview.modalities.images.data.PART_BYTES", 2 * 240)
    parts = list(images.parts())
    assert [len(part) for part in parts] == [2, 2, 2]
    assert pl.concat([part.collect() for part in parts]).equals(images.collect())
    batch = images.batch(torch.tensor([5, 0]))
    torch.testing.assert_close(batch * 255, torch.from_numpy(images.pixels[[5, 0]]).float())


def test_the_fingerprint_is_of_what_the_images_are(classes, tmp_path):
    here = read_images(classes, labels="label")
    classes.rename(tmp_path / "moved")
    assert read_images(tmp_path / "moved").fingerprint() == here.fingerprint()
    assert here.take([0, 1]).fingerprint() != here.take([1, 0]).fingerprint()
    save(tmp_path / "moved" / "cat" / "0.png", COLOUR[1])
    assert read_images(tmp_path / "moved").fingerprint() != here.fingerprint()


def test_several_sources_are_one(classes, tmp_path):
    npz = tmp_path / "more.npz"
    np.savez(npz, x=COLOUR[:2], label=np.array(["cow", "cow"]))
    images = read_images([classes, npz], labels="label")
    assert len(images) == 8
    assert images.labels()[-1] == "cow"
    files = read_images(str(classes / "cat" / "*.png"))
    np.testing.assert_array_equal(files.pixels, images.pixels[:3])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_of_files(classes, suffix):
    table = pl.DataFrame(
        {"image": ["dog/5.png", "cat/0.png"], "kind": ["d", None], "caption": ["a dog", "a cat"]}
    )
    path = classes / f"table{suffix}"
    {".csv": table.write_csv, ".parquet": table.write_parquet, ".jsonl": table.write_ndjson}[
        suffix
    ](path)
    images = read_images(path, labels="kind")
    np.testing.assert_array_equal(images.pixels, COLOUR[[5, 0]].transpose(0, 3, 1, 2))
    assert images.labels().tolist() == ["d", ""]
    assert images.texts("caption").tolist() == ["a dog", "a cat"]


def test_data_frames(classes):
    files = [str(classes / "cat" / "0.png"), str(classes / "dog" / "3.png")]
    for make in (pl.DataFrame, pd.DataFrame):
        images = read_images(make({"file": files, "n": [1, 2]}), labels="n")
        assert images.labels().tolist() == ["1", "2"]


@pytest.mark.parametrize(
    "array",
    [
        COLOUR,
        COLOUR.transpose(0, 3, 1, 2),
        torch.from_numpy(COLOUR),
        COLOUR.astype(np.int64),
        COLOUR / 255,
        (COLOUR / 255).astype(np.float32),
        np.concatenate([COLOUR, np.full((6, 10, 8, 1), 255, np.uint8)], 3),
    ],
    ids=["nhwc", "nchw", "torch", "int64", "float64", "float32", "opaque"],
)
def test_arrays_of_any_layout_are_the_same_images(array):
    np.testing.assert_array_equal(read_images(array).pixels, COLOUR.transpose(0, 3, 1, 2))


def test_grey_stays_grey_and_colour_is_asked_for():
    assert read_images(GREY).shape == (1, 10, 8)
    assert read_images(GREY, channels=3).shape == (3, 10, 8)
    grey = read_images(COLOUR, channels=1).pixels
    expected = [np.asarray(Image.fromarray(each).convert("L")) for each in COLOUR]
    np.testing.assert_array_equal(grey[:, 0], expected)


def test_idx_images_and_labels(tmp_path):
    pictures = write_idx(tmp_path / "t-images-idx3-ubyte.gz", GREY)
    labels = write_idx(tmp_path / "t-labels-idx1-ubyte", np.arange(6, dtype=np.uint8))
    images = read_images([pictures, labels], labels="label")
    np.testing.assert_array_equal(images.pixels[:, 0], GREY)
    assert images.labels().tolist() == list("012345")
    assert read_images(pictures).table.columns == ["row"]
    floats = write_idx(tmp_path / "f.idx", (GREY / 255).astype(">f4"), kind=13)
    np.testing.assert_array_equal(read_images(floats).pixels, read_images(GREY).pixels)


@given(st.binary(max_size=64))
def test_bytes_that_are_no_idx_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "a.idx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.idx: "):
        read_idx(path)


def test_files_of_many_modes(tmp_path):
    folder = tmp_path / "modes"
    save(folder / "a_rgb.png", COLOUR[0])
    Image.fromarray(COLOUR[0]).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "b.gif")
    Image.fromarray(GREY[0]).convert("1").save(folder / "c.bmp")
    Image.fromarray(GREY[0].astype(np.uint16) * 257).save(folder / "d.png")
    alpha = np.dstack([COLOUR[0], np.zeros((10, 8), np.uint8)])
    Image.fromarray(alpha).save(folder / "e.png")
    save(folder / "f.jpg", COLOUR[0], quality=95)
    images = read_images(folder)
    assert images.shape == (3, 10, 8)
    np.testing.assert_array_equal(images.pixels[0].transpose(1, 2, 0), COLOUR[0])
    np.testing.assert_array_equal(images.pixels[3], np.stack([GREY[0]] * 3))
    assert (images.pixels[4] == 255).all()


def test_a_photograph_is_turned_as_the_camera_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "photo.png", COLOUR[0], exif=exif)
    np.testing.assert_array_equal(
        read_images(path).pixels[0], np.rot90(COLOUR[0], -1).transpose(2, 0, 1)
    )


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_size_is_reached_from_files_and_arrays_alike(classes, fit):
    files = read_images(classes, size=6, fit=fit)
    assert files.shape == (3, 6, 6)
    np.testing.assert_array_equal(files.pixels, read_images(COLOUR, size=6, fit=fit).pixels)
    grey = read_images(GREY, size=6, fit=fit)
    assert grey.shape == (1, 6, 6)


def test_padding_is_white():
    tall = read_images(np.zeros((1, 20, 10), np.uint8), size=20, fit="pad")
    assert (tall.pixels[0, 0, :, :4] == 255).all()
    assert (tall.pixels[0, 0, :, 8:12] == 0).all()


def test_many_pixels_lie_in_a_mapped_file(monkeypatch):
    monkeypatch.setattr(intake, "IN_MEMORY", 100)
    images = read_images(COLOUR)
    assert isinstance(images.pixels, np.memmap)
    np.testing.assert_array_equal(images.take([2]).pixels[0], COLOUR[2].transpose(2, 0, 1))


def test_masks_from_a_folder_a_column_and_an_array(tmp_path):
    masks = (GREY > 128).astype(np.uint8)
    for i in range(3):
        save(tmp_path / "images" / f"{i}.jpg", COLOUR[i])
        save(tmp_path / "masks" / f"{i}.png", masks[i] * 255)
    folder = MaskedSource(masks=str(tmp_path / "masks")).read(tmp_path / "images")
    np.testing.assert_array_equal(folder.masks, masks[:3])
    table = pl.DataFrame({"file": ["images/2.jpg"], "mask": ["masks/2.png"]})
    table.write_csv(tmp_path / "t.csv")
    column = MaskedSource(masks="mask").read(tmp_path / "t.csv")
    np.testing.assert_array_equal(column.masks, masks[2:3])
    array = MaskedSource(masks="m").read({"x": COLOUR, "m": masks * 3})
    assert set(np.unique(array.masks)) == {0, 3}
    np.testing.assert_array_equal(array.take([4]).masks, masks[4:5] * 3)
    sized = MaskedSource(masks=str(tmp_path / "masks"), size=4).read(tmp_path / "images")
    assert sized.masks.shape == (3, 4, 4)
    assert set(np.unique(sized.masks)) <= {0, 1}


def _damaged(folder):
    path = save(folder / "set" / "cut.jpg", np.repeat(np.repeat(COLOUR[0], 20, 0), 20, 1))
    path.write_bytes(path.read_bytes()[:-2000])
    return folder / "set"


def _no_image(folder):
    (folder / "fake.png").write_text("hello")
    return folder / "fake.png"


def _sizes(folder):
    save(folder / "s" / "a.png", COLOUR[0])
    save(folder / "s" / "b.png", COLOUR[0][:5])
    return folder / "s"


def _missing_row(folder):
    save(folder / "a.png", COLOUR[0])
    (folder / "t.csv").write_text("file\na.png\nb.png\n")
    return folder / "t.csv"


def _empty_folder(folder):
    (folder / "t.txt").write_text("x")
    return folder


def _pickled(folder):
    np.savez(folder / "o.npz", x=np.array([{}], dtype=object))
    return folder / "o.npz"


def _short_labels(folder):
    write_idx(folder / "i.idx", GREY)
    write_idx(folder / "l.idx", np.arange(5, dtype=np.uint8))
    return [folder / "i.idx", folder / "l.idx"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_damaged, r"cut.jpg: damaged"),
        (_no_image, r"fake.png: is no image"),
        (_sizes, r"b.png: 8 x 5 pixels, but .*a.png has 8 x 10; expected one size, or --size"),
        (_missing_row, r"t.csv: row 2, column 'file': .*b.png: no such file"),
        (_empty_folder, "holds no image"),
        (_pickled, "Python objects, which are never loaded"),
        (_short_labels, "l.idx: 5 labels for 6 images"),
        (lambda _: "no/such/folder", "no such file"),
        (lambda _: "", "an empty name"),
        (lambda _: [], "no images"),
        (lambda _: 3.5, "cannot be read from float"),
        (lambda _: COLOUR.astype(float), "expected fractions from 0 to 1"),
        (lambda _: GREY[0], r"shape \[10, 8\]; expected images"),
        (lambda _: np.full((2, 4, 4), np.nan), "expected fractions"),
        (lambda _: {"a": COLOUR, "b": COLOUR}, "could be images: a, b; expected one"),
        (lambda _: pl.DataFrame({"a": ["x"]}), "no column of image files; there are a"),
    ],
)
def test_wrong_input_is_named_in_one_line(tmp_path, make, says):
    with pytest.raises(InputError, match=says) as error:
        read_images(make(tmp_path))
    assert "\n" not in str(error.value)


def test_wrong_masks_are_named(tmp_path):
    save(tmp_path / "i" / "a.png", COLOUR[0])
    save(tmp_path / "m" / "a.png", COLOUR[0])
    for place, says in (
        (str(tmp_path / "m"), "one channel with a class number"),
        (str(tmp_path / "i" / ".."), "no image has a mask there"),
        ("nowhere", "no masks 'nowhere'"),
    ):
        with pytest.raises(InputError, match=says):
            MaskedSource(masks=place).read(tmp_path / "i")


def test_labels_that_are_not_there(classes):
    with pytest.raises(InputError, match="no column 'kind'; there are file, label"):
        read_images(classes, labels="kind").labels()
    with pytest.raises(InputError, match="no labels"):
        read_images(classes).labels()


def test_a_model_of_another_shape_says_so(classes):
    with pytest.raises(InputError, match=r"8 x 10 pixels in colour; expected 28 x 28 .* in grey"):
        read_images(classes).need_shape((1, 28, 28), "simclr")
