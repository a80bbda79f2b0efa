"""What happens to images between a camera and a model: six families that no attacker has to learn.

Black-box perturbations, on pixels [n, c, h, w] from 0 to 1: none looks at a model, so one bank,
drawn once from a seed, is the same set of images for every model. The families are those of the
study of robustness against training data (2025): random noise, two kinds of geometric masks, pasted
objects, the corruptions of ImageNet-C (Hendrycks and Dietterich 2019, arXiv 1903.12261) and shifts
of style as in ImageNet-R. Lengths are shares of the image's side, so that sizes compare.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

from contraview.core.config import Config
from contraview.core.seeds import torch_generator
from contraview.modalities.images.data import Images
from contraview.modalities.images.views import luma, smoothed

Pixels = Float[Tensor, "n c h w"]
Kind = Literal[
    "noise", "square", "stripes", "object", "blur", "contrast", "jpeg", "webp", "pixelate",
    "resize", "rotate", "edges", "inverted", "dilated",
]  # fmt: skip

FAMILIES: Final[Mapping[str, tuple[Kind, ...]]] = {
    "noise": ("noise",),
    "square mask": ("square",),
    "stripe mask": ("stripes",),
    "pasted object": ("object",),
    "corruption": ("blur", "contrast", "jpeg", "pixelate", "rotate"),
    "style": ("edges", "inverted", "dilated"),
}
"""The six families and the kinds each is the mean of."""

RANGES: Final[Mapping[Kind, tuple[float, float]]] = {
    "noise": (0.0, 0.4),
    "square": (0.0, 0.75),
    "stripes": (0.0, 0.6),
    "object": (0.0, 0.75),
    "blur": (0.0, 0.1),
    "contrast": (0.0, 0.9),
    "jpeg": (100.0, 1.0),
    "webp": (100.0, 1.0),
    "pixelate": (0.0, 0.25),
    "resize": (1.0, 0.2),
    "rotate": (0.0, 60.0),
    "edges": (0.0, 1.0),
    "inverted": (0.0, 1.0),
    "dilated": (0.0, 1.0),
}
"""The level of each kind that changes (next to) nothing, and that of severity 1."""

_AT_ONCE: Final = 512
_STRIPES: Final = 4
"""Stripes an image; their width follows from the share that they cover."""


class Perturbation(Config):
    """One kind of change, at one level."""

    kind: Kind = Field(
        description="noise: Gaussian on each pixel; square and stripes: grey masks; object: "
        "another image of the batch in a corner; blur, contrast, jpeg, webp, pixelate, rotate: "
        "corruptions; resize: smaller and back; edges, inverted, dilated: other drawing styles"
    )
    level: float = Field(
        description="noise: standard deviation; square, object: share of the side; stripes: share "
        "of the image; blur: sigma and pixelate: block, as shares of the side; contrast: share "
        "taken away; jpeg, webp: quality 1 to 100; resize: share of the side kept; rotate: degrees "
        "either way; edges, inverted, dilated: share of the way"
    )

    @classmethod
    def severe(cls, kind: Kind, severity: float) -> "Perturbation":
        """The kind at a severity from 0 (next to nothing) to 1 (`RANGES`)."""
        mild, strong = RANGES[kind]
        return cls.of(kind=kind, level=mild + severity * (strong - mild))

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """The images, changed; what is random is drawn for each image."""
        level = self.level
        match self.kind:
            case "noise":
                return noisy(pixels, generator, sigma=level)
            case "square":
                return square_masked(pixels, generator, side=level)
            case "stripes":
                return stripe_masked(pixels, generator, share=level)
            case "object":
                return pasted(pixels, generator, side=level)
            case "blur":
                sigma = max(level * pixels.shape[-1], 1e-3)
                return smoothed(pixels, pixels.new_full((len(pixels),), sigma))
            case "contrast":
                middle = luma(pixels).mean((1, 2, 3), keepdim=True)
                return middle + (1 - level) * (pixels - middle)
            case "jpeg" | "webp":
                quality = torch.full((len(pixels),), round(level))
                return compressed(pixels, quality, "JPEG" if self.kind == "jpeg" else "WEBP")
            case "pixelate":
                block = max(1.0, level * pixels.shape[-1])
                return resized(pixels, keep=1 / block, back="nearest")
            case "resize":
                return resized(pixels, keep=level)
            case "rotate":
                return turned(pixels, generator, degrees=level)
            case _:
                return pixels + level * (_styled(pixels, self.kind) - pixels)


def bank(severity: float = 0.5) -> dict[str, tuple[Perturbation, ...]]:
    """The six families at one severity from 0 to 1."""
    return {
        family: tuple(Perturbation.severe(kind, severity) for kind in kinds)
        for family, kinds in FAMILIES.items()
    }


def perturbed(images: Images, perturbation: Perturbation, seed: int) -> Images:
    """The images, changed; the same images for the same seed, whoever asks."""
    if not len(images):
        return images
    generator = torch_generator(seed, "perturbation", perturbation.kind)
    pixels = [
        (perturbation(images.batch(rows), generator) * 255).round().clamp(0, 255).byte().numpy()
        for rows in torch.arange(len(images)).split(_AT_ONCE)
    ]
    return replace(images, pixels=np.concatenate(pixels))


def noisy(
    pixels: Pixels, generator: torch.Generator, *, sigma: float | Float[Tensor, " n"]
) -> Pixels:
    """Gaussian noise on each pixel and channel, cut to 0 to 1; one sigma, or one an image."""
    noise = torch.randn(pixels.shape, generator=generator, device=generator.device)
    spread = sigma[:, None, None, None] if isinstance(sigma, Tensor) else sigma
    return (pixels + spread * noise).clamp(0, 1)


def square_masked(pixels: Pixels, generator: torch.Generator, *, side: float) -> Pixels:
    """A grey square somewhere within the image, its side a share of the shorter side."""
    n, _, height, width = pixels.shape
    length = round(side * min(height, width))
    inside = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=pixels.device)
    for axis, size in ((2, height), (3, width)):
        start = torch.randint(
            size - length + 1, (n,), generator=generator, device=generator.device
        ).view(n, 1, 1, 1)
        shape = [1, 1, 1, 1]
        shape[axis] = size
        place = torch.arange(size, device=pixels.device).view(shape)
        inside = inside & (place >= start) & (place < start + length)
    return torch.where(inside, 0.5, pixels)


def stripe_masked(pixels: Pixels, generator: torch.Generator, *, share: float) -> Pixels:
    """Four grey stripes, across or down at random, that together cover a share of the image."""
    n, _, height, width = pixels.shape
    phase = torch.rand(n, generator=generator, device=generator.device).view(n, 1, 1, 1)
    across = torch.rand(n, generator=generator, device=generator.device).view(n, 1, 1, 1) < 0.5
    down = torch.arange(height, device=pixels.device).view(1, 1, height, 1) / height
    right = torch.arange(width, device=pixels.device).view(1, 1, 1, width) / width
    place = torch.where(across, down, right)
    return torch.where((place * _STRIPES + phase) % 1 < share, 0.5, pixels)


def pasted(pixels: Pixels, generator: torch.Generator, *, side: float) -> Pixels:
    """Another image of the batch, shrunk to a share of the side, over one of the four corners.

    A batch of one gets its own image.
    """
    n, _, height, width = pixels.shape
    high, wide = round(side * height), round(side * width)
    if not high or not wide:
        return pixels
    shift = torch.randint(1, max(n, 2), (1,), generator=generator, device=generator.device)
    objects = interpolate(
        pixels.roll(int(shift), 0),
        (high, wide),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    corner = torch.randint(4, (n,), generator=generator, device=generator.device)
    changed = pixels.clone()
    for number, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        rows = torch.nonzero(corner == number)[:, 0]
        top, left = down * (height - high), right * (width - wide)
        changed[rows, :, top : top + high, left : left + wide] = objects[rows]
    return changed


def compressed(
    pixels: Pixels, quality: Int[Tensor, " n"], form: Literal["JPEG", "WEBP"] = "JPEG"
) -> Pixels:
    """Written as JPEG or WebP by Pillow at the quality of each image (1 to 100), and read again.

    An image at a time, about 50 us for 28 x 28: this is the one operation here that is no tensor's.
    """
    whole = (pixels * 255).round().clamp(0, 255).byte().cpu().numpy()
    again = np.empty_like(whole)
    for row, each in enumerate(quality.tolist()):
        again[row] = _written(whole[row], each, form)
    return torch.from_numpy(again).to(pixels.device).float() / 255


def _written(image: UInt8[np.ndarray, "c h w"], quality: int, form: str) -> np.ndarray:
    grey = len(image) == 1
    room = io.BytesIO()
    Image.fromarray(image[0] if grey else image.transpose(1, 2, 0)).save(
        room, form, quality=quality
    )
    with Image.open(room) as read:
        values = np.asarray(read.convert("L" if grey else "RGB"))
    return values[None] if grey else values.transpose(2, 0, 1)


def resized(
    pixels: Pixels, *, keep: float, back: Literal["bilinear", "nearest"] = "bilinear"
) -> Pixels:
    """Shrunk to a share of the side with antialiasing, and brought back to the size it had."""
    height, width = pixels.shape[2:]
    small = (max(1, round(keep * height)), max(1, round(keep * width)))
    if small == (height, width):
        return pixels
    shrunk = interpolate(pixels, small, mode="bilinear", align_corners=False, antialias=True)
    if back == "nearest":
        return interpolate(shrunk, (height, width), mode="nearest-exact")
    return interpolate(shrunk, (height, width), mode="bilinear", align_corners=False)


def turned(pixels: Pixels, generator: torch.Generator, *, degrees: float) -> Pixels:
    """Turned about the middle by this angle, left or right at random; the border is repeated."""
    n, _, height, width = pixels.shape
    left = torch.rand(n, generator=generator, device=generator.device) < 0.5
    angle = torch.where(left, degrees, -degrees) * (math.pi / 180)
    cos, sin, zero, aspect = angle.cos(), angle.sin(), torch.zeros_like(angle), height / width
    rows = torch.stack([cos, -sin * aspect, zero, sin / aspect, cos, zero], 1).view(n, 2, 3)
    grid = affine_grid(rows, list(pixels.shape), align_corners=False)
    return grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _styled(pixels: Pixels, kind: str) -> Pixels:
    """The image as a drawing of its edges, as its negative, or with what is bright made thicker."""
    if kind == "inverted":
        return 1 - pixels
    thick = max_pool2d(pixels, 3, stride=1, padding=1)
    if kind == "dilated":
        return thick
    return thick + max_pool2d(-pixels, 3, stride=1, padding=1)  # the morphological gradient
