"""Views of images: batched, from an explicit generator, on pixels [n, c, h, w] from 0 to 1.

Each image of a batch gets its own draw. Colour operations stay within 0 to 1; images that have no
red, green and blue take no part in those that need them. Strengths and order are SimCLR's (Chen et
al. 2020, arXiv 2002.05709, appendix A), where not said otherwise.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

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


def _some(
    pixels: Pixels,
    generator: torch.Generator,
    chance: float,
    change: Callable[[Pixels, Int[Tensor, " m"]], Pixels],
) -> Pixels:
    """The images, each changed by chance; ``change`` sees those alone, and their numbers."""
    rows = (_uniform(len(pixels), generator) < chance).nonzero().squeeze(1)
    if len(rows) == len(pixels):
        return change(pixels, rows)
    return pixels.index_copy(0, rows, change(pixels[rows], rows)) if len(rows) else pixels


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
    shape = list(pixels.shape)
    grid = affine_grid(rows, shape, align_corners=False) if rotate else _upright(rows, shape)
    return grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _upright(rows: Float[Tensor, "n 2 3"], shape: list[int]) -> Float[Tensor, "n h w 2"]:
    """`affine_grid` to the last bit where nothing turns, at half its cost: no matrix products."""
    n, _, height, width = shape
    grid = rows.new_empty(n, height, width, 2)
    for axis, length, across in ((0, width, 1), (1, height, 2)):
        places = torch.linspace(-1, 1, length, device=rows.device) * (length - 1) / length
        places = places * rows[:, axis, axis, None] + rows[:, axis, 2, None]
        grid[..., axis] = places.unsqueeze(across)
    return grid


def jittered(
    pixels: Pixels, generator: torch.Generator, *, strength: float, chance: float = 1.0
) -> Pixels:
    """Change brightness, contrast, saturation (factors 1 ± .8 strength) and hue (± .2 strength).

    In this order, where SimCLR's code draws one. Each is linear in a pixel's colour but for the
    image's mean, which contrast keeps, so all four are one matrix and one offset an image, and
    colours are cut to 0 to 1 once, at the end. Hue turns the colour plane of YIQ by up to
    ``.2 strength`` of a full circle. Grey images, and those of other bands than red, green and
    blue, get brightness and contrast alone.
    """
    n, reach = len(pixels), 0.8 * strength
    brightness, contrast, saturation = (
        _uniform(n, generator, max(0.0, 1 - reach), 1 + reach) for _ in range(3)
    )
    angle = _uniform(n, generator, -0.2 * strength, 0.2 * strength) * (2 * math.pi)

    def change(some: Pixels, rows: Int[Tensor, " m"]) -> Pixels:
        scale = (brightness * contrast)[rows][:, None, None]
        middle = luma(some).mean((1, 2, 3)) * (brightness * (1 - contrast))[rows]
        flat = some.flatten(2)
        if some.shape[1] != 3:
            altered = flat * scale + middle[:, None, None]
        else:  # colours that are grey stay where they are, so the offset passes through unchanged
            colours = _hue(angle[rows]) @ _saturation(saturation[rows])
            altered = torch.baddbmm(middle[:, None, None], colours * scale, flat)
        return altered.clamp_(0, 1).view_as(some)

    return _some(pixels, generator, chance, change)


def _saturation(factor: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Between a colour (1) and its grey (0), and beyond."""
    keep = torch.eye(3, dtype=factor.dtype, device=factor.device)
    return keep * factor[:, None, None] + factor.new_tensor(_LUMA) * (1 - factor)[:, None, None]


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
    return _some(pixels, generator, chance, lambda some, _: luma(some).expand_as(some))


def blurred(
    pixels: Pixels, generator: torch.Generator, *, sigma: float, chance: float = 1.0
) -> Pixels:
    """Blur some images by a Gaussian of .1 to ``sigma`` pixels (below .1 nothing is visible)."""
    sigmas = _uniform(len(pixels), generator, min(0.1, sigma), sigma)
    return _some(pixels, generator, chance, lambda some, rows: smoothed(some, sigmas[rows]))


def smoothed(pixels: Pixels, sigmas: Float[Tensor, " n"]) -> Pixels:
    """Each image blurred by a Gaussian of its own sigma above 0, in pixels; cut at the border.

    Cut: at the border the weights of what lies inside sum to one. A narrow kernel is a sum of
    shifted images, cut at four sigmas; a wide one a product with a band matrix.
    """
    for axis in (2, 3):
        length = pixels.shape[axis]
        reach = math.ceil(4 * sigmas.max().item())
        narrow = 3 * (2 * reach + 1) < length
        pixels = (_shifted if narrow else _banded)(pixels, sigmas, axis)
    return pixels


def _shifted(pixels: Pixels, sigmas: Float[Tensor, " n"], axis: int) -> Pixels:
    length, reach = pixels.shape[axis], math.ceil(4 * sigmas.max().item())
    places = torch.arange(-reach, reach + 1, device=sigmas.device, dtype=sigmas.dtype)
    weights = torch.exp(-places.square() / (2 * sigmas[:, None].square()))
    inside = pad(weights.new_ones(length), (reach, reach)).unfold(0, length, 1)
    weights_inside = (weights @ inside).view(-1, 1, *((1, length) if axis == 3 else (length, 1)))
    wide = pad(pixels, (reach, reach) if axis == 3 else (0, 0, reach, reach))
    total = torch.zeros_like(pixels)
    for i, weight in enumerate(weights.T):
        total.addcmul_(wide.narrow(axis, i, length), weight[:, None, None, None])
    return total.div_(weights_inside)


def _banded(pixels: Pixels, sigmas: Float[Tensor, " n"], axis: int) -> Pixels:
    places = torch.arange(pixels.shape[axis], device=sigmas.device, dtype=sigmas.dtype)
    distance = (places[:, None] - places).square()
    weights = torch.exp(-distance / (2 * sigmas[:, None, None].square()))
    band = (weights / weights.sum(2, keepdim=True))[:, None]
    return band @ pixels if axis == 2 else pixels @ band.transpose(2, 3)
