"""Image files, lists of them, and arrays of pixels."""

import io
import struct

import numpy as np
from PIL import Image
from tests.fuzz.pack import parted


def npy(array: object) -> bytes:
    """An array as the bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def picture(kind: str, side: int, mode: str = "RGB", **settings: object) -> bytes:
    """An image file."""
    pixels = (np.arange(side * side * 4).reshape(side, side, 4) * 7 % 256).astype(np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def images() -> list[bytes]:
    """Every format that Pillow writes and a folder of images may hold."""
    turned = Image.Exif()
    turned[0x0112] = 6
    made = [picture("PNG", 6, mode) for mode in ("RGB", "L", "P", "RGBA", "1", "I;16")]
    made += [picture("JPEG", 8, exif=turned), picture("JPEG", 8, "CMYK"), picture("BMP", 5)]
    made += [picture("GIF", 5, "P"), picture("PPM", 5), picture("PPM", 5, "L")]
    made += [picture("TIFF", 5), picture("TIFF", 5, compression="tiff_lzw"), picture("WEBP", 8)]
    made += [picture("TIFF", 5, "F"), picture("PNG", 6, "P", transparency=0)]
    return made


def image_lists() -> list[bytes]:
    """Tables that name image files."""
    return [
        b"file,label,caption\npicture.png,cat,a red cat\npicture.png,dog,a dog\n",
        b"path,label\npicture.png,\npicture.png,1\n",
        b'image,label\n"picture.png","a, b"\n./picture.png,2\n',
    ]


def image_arrays() -> list[bytes]:
    """Archives of pixels and labels."""
    pixels = (np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3) % 256).astype(np.uint8)
    return [
        parted({"images": npy(pixels), "labels": npy([0, 1])}),
        parted({"x": npy(pixels.transpose(0, 3, 1, 2) / 255), "y": npy(np.array(["a", "b"]))}),
        parted({"x": npy(pixels[..., 0].astype(np.int16)), "y": npy(np.array(3.0))}),
        parted({"x": npy(np.zeros((2, 4, 5, 4), np.uint8))}),
    ]


def idx() -> list[bytes]:
    """The files of MNIST and its kin."""
    head = struct.pack(">HBBIII", 0, 8, 3, 2, 4, 5)
    wide = struct.pack(">HBBIII", 0, 13, 3, 1, 2, 2) + struct.pack(">4f", 0, 0.5, 1, 0.25)
    return [head + bytes(range(40)), wide]


def geotiff() -> list[bytes]:
    """TIFF of one band and of several, whole numbers and fractions, both byte orders."""
    import tifffile

    made = []
    for array, settings in (
        (np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5), {"planarconfig": "separate"}),
        (np.arange(20, dtype=np.float32).reshape(4, 5), {"byteorder": ">"}),
        (np.arange(60, dtype=np.uint8).reshape(4, 5, 3), {"photometric": "rgb"}),
        (np.arange(32 * 32, dtype=np.uint8).reshape(32, 32), {"tile": (16, 16)}),
        (np.arange(20, dtype=np.uint8).reshape(4, 5), {"bigtiff": True}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, array, **{"photometric": "minisblack", **settings})
        made.append(file.getvalue())
    return made
