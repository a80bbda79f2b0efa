"""How an image looks: its pixels."""

import io

import numpy as np
from PIL import Image

from contraview.core.shown import Shown
from contraview.modalities.images.data import Images


def show(data: Images, i: int) -> Shown:
    """The pixels as PNG: grey, or red, green and blue; of more bands the first three."""
    pixels = data.pixels[i]
    plain = pixels[0] if len(pixels) < 3 else pixels[:3].transpose(1, 2, 0)
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(content, "PNG")
    return Shown("image/png", content.getvalue())
