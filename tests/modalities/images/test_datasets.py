"""The known data sets of images."""

import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset
from contraview.modalities.images.data import read_images
from contraview.modalities.images.emoji import read_emoji


@pytest.mark.parametrize("vendor", ["google", "twitter"])
def test_emoji_are_cut_out_of_their_sheet(shared_data, vendor):
    emoji = read_emoji(dataset(f"emoji_{vendor}", shared_data / "multimodal"))
    assert len(emoji) == 3786
    assert emoji.shape == (3, 64, 64)
    assert (emoji.texts("base_unified") == "").sum() == 1911
    apple = emoji.take(np.flatnonzero(emoji.texts("name") == "red apple")).pixels[0]
    red, green, _ = apple[:, 24:48, 20:44].reshape(3, -1).mean(1)
    assert red > 1.5 * green
    assert apple[:, 0, 0].min() == 255


@pytest.mark.parametrize(
    ("name", "rows"), [("fashion_mnist", 60_000), ("fashion_mnist_test", 10_000)]
)
def test_fashion_mnist_where_it_has_been_fetched(name, rows):
    try:
        files = dataset(name)
    except InputError as missing:
        pytest.skip(str(missing))
    images = read_images(files, labels="label")
    assert images.shape == (1, 28, 28)
    assert np.unique(images.labels(), return_counts=True)[1].tolist() == [rows // 10] * 10
