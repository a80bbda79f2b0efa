import numpy as np
import torch

from contraview.core.seeds import numpy_generator
from contraview.modalities.images.data import read_images
from contraview.modalities.images.nets import ImageEncoder

IMAGES = read_images(numpy_generator(0, "nets").integers(0, 99, (40, 12, 12, 3), dtype=np.uint8))


def test_pixels_are_standardised_by_what_was_learnt():
    encoder = ImageEncoder(3, (8, 16))
    encoder.standardise.learn(IMAGES)
    standard = encoder.standardise(IMAGES.batch(torch.arange(40)))
    torch.testing.assert_close(standard.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std((0, 2, 3)), torch.ones(3), atol=1e-3, rtol=0)


def test_an_embedding_is_the_mean_of_the_map():
    encoder = ImageEncoder(3, (8, 16))
    pixels = IMAGES.batch(torch.arange(5))
    maps = encoder.features(pixels)
    assert maps.shape == (5, 16, 3, 3)
    torch.testing.assert_close(encoder(pixels), maps.mean((2, 3)))


def test_a_constant_channel_divides_by_no_zero():
    encoder = ImageEncoder(1, (4,))
    encoder.standardise.learn(read_images(np.zeros((3, 8, 8), np.uint8)))
    assert encoder(torch.zeros(2, 1, 8, 8)).isfinite().all()
