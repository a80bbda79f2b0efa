"""Images with captions that fit in a test: tiny images, named after their stripes."""

import numpy as np
import tiny_images

from contraview.modalities.images.captions import CaptionedSource

PROMPT = "a picture of stripes {}"


def data(count: int = 60, seed: int = 0):
    """Pairs, as `fit` takes them."""
    labels = tiny_images.labels(count)
    captions = np.array([PROMPT.format(name) for name in labels])
    source = CaptionedSource(labels="kind")
    return source.read(
        {"x": tiny_images.pixels(count, seed=seed), "caption": captions, "kind": labels}
    )
