"""Views of images: batched, from an explicit generator, on pixels [n, c, h, w] from 0 to 1.

Each image of a batch gets its own draw. Colour operations stay within 0 to 1; images that have no
red, green and blue take no part in those that need them. Strengths and order are SimCLR's (Chen et
al. 2020, arXiv 2002.05709, appendix A), where not said otherwise.
"""

import math

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from contraview.core.config import Config

Pixels = Float[Tensor, "n c h w"]

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601: the weights of red, green and blue in grey."""


class ViewConfig(Config):
    """How a view is made of an image; every operation can be turned off with 0."""

    crop: float = Field(
        0.2, ge=0, le=1, description="smallest share of the area that a crop keeps; 0: no crop"
    )
    ratio: float = Field(4 / 3, ge=1, description="largest ratio of a crop's sides, either way")
    flip: float = Field(0.5, ge=0, le=1, description="chance of a horizontal flip")
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation in degrees, either way")
    jitter: float = Field(
        0.5, ge=0, description="strength s: brightness, contrast, saturation by .8 s, hue by .2 s"
    )
    jitter_chance: float = Field(0.8, ge=0, le=1, description="chance that colours are jittered")
    grey: float = Field(0.2, ge=0, le=1, description="chance that colour is taken away")
    blur: float = Field(0.5, ge=0, le=1, description="chance of a Gaussian blur")
    blur_sigma: float = Field(
        2.0, gt=0, description="largest sigma of the blur, in pixels of an image of 224; from .1"
    )

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """One view of each image."""
        if self.crop or self.flip or self.rotate:
            pixels = moved(
                pixels,
                generator,
                crop=self.crop or 1.0,
                ratio=self.ratio if self.crop else 1.0,
                flip=self.flip,
                rotate=self.rotate,
            )
        if self.jitter:
            pixels = jittered(pixels, generator, strength=self.jitter, chance=self.jitter_chance)
        if self.grey:
            pixels = greyed(pixels, generator, chance=self.grey)
        if self.blur:
            sigma = self.blur_sigma * pixels.shape[-1] / 224
            pixels = blurred(pixels, generator, sigma=sigma, chance=self.blur)
        return pixels


def _uniform(n: int, generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator, device=generator.device)


def _chosen(n: int, generator: torch.Generator, chance: float) -> Tensor:
    return _uniform(n, generator)[:, None, None, None] < chance


def moved(
    pixels: Pixels,
    generator: torch.Generator,
    *,
    crop: float = 1.0,
    ratio: float = 1.0,
    flip: float = 0.0,
    rotate: float = 0.0,
) -> Pixels:
    """Crop, resize to the same size, flip and rotate, all in one resampling.

    A crop keeps a share of the area between ``crop`` and 1 with sides in a ratio between
    1 / ``ratio`` and ``ratio``, logarithmically uniform, and lies anywhere within the image; a crop
    that would reach beyond it is cut to fit. Rotation is about the middle of the crop by up to
    ``rotate`` degrees. What comes from outside repeats the border.
    """
    n, _, height, width = pixels.shape
    area = _uniform(n, generator, crop, 1.0)
    log = math.log(ratio)
    stretch = (_uniform(n, generator, -log, log) / 2).exp()
    wide = (area.sqrt() * stretch).clamp(max=1)
    high = (area.sqrt() / stretch).clamp(max=1)
    right = (2 * _uniform(n, generator) - 1) * (1 - wide)
    down = (2 * _uniform(n, generator) - 1) * (1 - high)
    mirror = torch.where(_uniform(n, generator) < flip, -1.0, 1.0)
    turn = _uniform(n, generator, -rotate, rotate) * (math.pi / 180)
    cos, sin, aspect = turn.cos(), turn.sin(), height / width
    # From places of the view to places of the image, both from -1 to 1: flip, scale, turn, shift.
    rows = torch.stack(
        [
            torch.stack([wide * mirror * cos, -high * sin * aspect, right], 1),
            torch.stack([wide * mirror * sin / aspect, high * cos, down], 1),
        ],
        1,
    )
    grid = affine_grid(rows, list(pixels.shape), align_corners=False)
    return grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def jittered(
    pixels: Pixels, generator: torch.Generator, *, strength: float, chance: float = 1.0
) -> Pixels:
    """Change brightness, contrast, saturation (factors 1 ± .8 strength) and hue (± .2 strength).

    In this order, where SimCLR's code draws one; hue turns the colour plane of YIQ by up to
    ``.2 strength`` of a full circle, which costs a product with a 3 x 3 matrix where the way
    through HSV costs branches. Grey images, and those of other bands than red, green and blue, get
    brightness and contrast alone.
    """
    n = len(pixels)
    reach = 0.8 * strength
    factors = [
        _uniform(n, generator, max(0.0, 1 - reach), 1 + reach)[:, None, None, None]
        for _ in range(3)
    ]
    angle = _uniform(n, generator, -0.2 * strength, 0.2 * strength) * (2 * math.pi)
    chosen = _chosen(n, generator, chance)
    altered = (pixels * factors[0]).clamp(0, 1)
    middle = luma(altered).mean((1, 2, 3), keepdim=True)
    altered = (middle + (altered - middle) * factors[1]).clamp(0, 1)
    if pixels.shape[1] == 3:
        grey = luma(altered)
        altered = (grey + (altered - grey) * factors[2]).clamp(0, 1)
        altered = torch.einsum("nij,njhw->nihw", _hue(angle), altered).clamp(0, 1)
    return torch.where(chosen, altered, pixels)


def luma(pixels: Pixels) -> Float[Tensor, "n 1 h w"]:
    """The grey of each pixel; of bands that are not red, green and blue their mean."""
    if pixels.shape[1] != 3:
        return pixels.mean(1, keepdim=True)
    weights = pixels.new_tensor(_LUMA)[None, :, None, None]
    return (pixels * weights).sum(1, keepdim=True)


def _hue(angle: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    to_yiq = angle.new_tensor(
        [_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)]
    )
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(-1, 3, 3)
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq


def greyed(pixels: Pixels, generator: torch.Generator, *, chance: float) -> Pixels:
    """Take the colour away from some images."""
    chosen = _chosen(len(pixels), generator, chance)
    return torch.where(chosen, luma(pixels).expand_as(pixels), pixels)


def blurred(
    pixels: Pixels, generator: torch.Generator, *, sigma: float, chance: float = 1.0
) -> Pixels:
    """Blur some images by a Gaussian of .1 to ``sigma`` pixels (below .1 nothing is visible).

    Rows and columns are multiplied by band matrices that sum to one, also at the border: on small
    images cheaper than one convolution an image.
    """
    sigmas = _uniform(len(pixels), generator, min(0.1, sigma), sigma)
    chosen = _chosen(len(pixels), generator, chance)
    return torch.where(chosen, smoothed(pixels, sigmas), pixels)


def smoothed(pixels: Pixels, sigmas: Float[Tensor, " n"]) -> Pixels:
    """Each image blurred by a Gaussian of its own sigma above 0, in pixels; cut at the border."""
    height, width = pixels.shape[2:]
    return _band(sigmas, height) @ pixels @ _band(sigmas, width).transpose(2, 3)


def _band(sigmas: Float[Tensor, " n"], length: int) -> Float[Tensor, "n 1 l l"]:
    places = torch.arange(length, device=sigmas.device, dtype=sigmas.dtype)
    distance = (places[:, None] - places).square()
    weights = torch.exp(-distance / (2 * sigmas[:, None, None].square()))
    return (weights / weights.sum(2, keepdim=True))[:, None]
