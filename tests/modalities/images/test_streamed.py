import pickle

import numpy as np
import pytest
from PIL import Image

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.modalities.images import data as images_data
from contraview.modalities.images.captions import CaptionedSource, Texts
from contraview.modalities.images.data import Images, ImageSource
from contraview.modalities.images.masks import MaskedSource
from contraview.modalities.images.streamed import StreamedImages

PIXELS = numpy_generator(0, "streamed images").integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def sources(tmp_path):
    """A folder of classes, single files and an archive: one source after the other."""
    for i, pixels in enumerate(PIXELS[:4]):
        path = tmp_path / "set" / ("cat" if i < 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    for i, pixels in enumerate(PIXELS[4:6]):
        Image.fromarray(pixels).save(tmp_path / f"single{i}.png")
    np.savez(tmp_path / "rest.npz", images=PIXELS[6:])
    names = ("set", "single0.png", "single1.png", "rest.npz")
    return tuple(str(tmp_path / name) for name in names)


@pytest.fixture
def three_a_part(monkeypatch):
    monkeypatch.setattr(images_data, "PART_BYTES", 3 * PIXELS[0].nbytes)


@pytest.mark.parametrize("knobs", [{}, {"channels": 1}, {"size": 4}])
def test_parts_are_those_of_images_in_memory(sources, three_a_part, knobs):
    settings = ImageSource(**knobs)
    streamed, whole = settings.stream(sources), settings.read(sources)
    assert isinstance(streamed, StreamedImages)
    assert len(streamed) == len(whole) == 9
    first, second = list(streamed.parts()), list(whole.parts())
    # An archive stands behind single files, so a part reaches over two sources.
    assert [len(part) for part in first] == [len(part) for part in second]
    assert len(first) >= 3 or knobs
    for mine, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine.pixels, theirs.pixels)
        assert mine.table.equals(theirs.table)


def test_a_piece_is_decoded_where_it_is_used(sources, three_a_part, tmp_path):
    streamed = ImageSource().stream(sources[:1])
    pieces = [pickle.dumps(piece) for piece in streamed.portable(tmp_path).pieces()]
    assert max(map(len, pieces)) < 4_000
    read = [part for piece in pieces for part in pickle.loads(piece).parts()]
    np.testing.assert_array_equal(
        np.concatenate([part.pixels for part in read]), PIXELS[:4].transpose(0, 3, 1, 2)
    )


def test_one_size_is_checked_before_the_first_part_a_damaged_file_on_the_way(sources, tmp_path):
    cut = tmp_path / "set" / "dog" / "3.png"
    cut.write_bytes(cut.read_bytes()[:100])
    with pytest.raises(InputError, match=r"3\.png: damaged"):
        ImageSource().stream(sources[0])
    streamed = ImageSource(size=4, channels=3).stream(sources[0])
    with pytest.raises(InputError, match=r"3\.png: damaged"):
        list(streamed.parts())
    Image.fromarray(PIXELS[0, :5]).save(cut)
    with pytest.raises(InputError, match="expected one size"):
        ImageSource().stream(sources[0])


def test_what_is_in_memory_or_needs_more_than_pixels_is_read_as_ever(sources, tmp_path):
    images = ImageSource().read(sources)
    assert ImageSource().stream(images) is images
    assert isinstance(CaptionedSource().stream("text:a red apple"), Texts)
    captioned = next(CaptionedSource(captions="file").stream(sources).parts())
    assert captioned.caption == "file"
    assert isinstance(MaskedSource().stream(sources[0]), Images)
