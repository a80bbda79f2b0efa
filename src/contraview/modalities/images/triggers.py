"""Hidden triggers: marks that a poisoned model has learnt to obey.

Each works on pixels [n, c, h, w] from 0 to 1 as the model sees them, after any resizing, so that a
mark at the border is never cut away. Kinds and strengths are those of CleanCLIP's official code
(Bansal et al. 2023, arXiv 2303.03323), there for images of 224 pixels.
"""

import math
from typing import Final, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from contraview.core.config import Config
from contraview.core.seeds import torch_generator

Pixels = Float[Tensor, "n c h w"]
Kind = Literal["noise", "yellow", "blended", "sinusoid", "warped"]
KINDS: Final[tuple[Kind, ...]] = ("noise", "yellow", "blended", "sinusoid", "warped")
_AMPLITUDE: Final = 60 / 255
_PERIODS: Final = 6
_NOISE_SHARE: Final = 0.2
_WARP_POINTS: Final = 4


class Trigger(Config):
    """One kind of mark."""

    kind: Kind = Field(
        "noise",
        description="noise: a patch of Gaussian noise round the image's mean (BadNet); yellow: a "
        "patch; blended: a fifth of uniform noise over all; sinusoid: stripes over all (SIG); "
        "warped: a smooth shift of all pixels (WaNet)",
    )
    size: int = Field(8, ge=1, description="side of a patch in pixels; official 16 of 224")
    place: Literal["random", "corners", "middle"] = Field(
        "random", description="where patches go: one anywhere, four in the corners, one in middle"
    )
    strength: float = Field(
        1.0, gt=0, description="of the warp: its displacement is about so many pixels of 100"
    )
    pattern: int = Field(
        0, description="number of the pattern of blended and warped, the same for all images"
    )

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """The images with the mark; noise and random places are drawn for each image."""
        if self.kind == "blended":
            noise = torch.rand(
                (1, *pixels.shape[1:]), generator=torch_generator(self.pattern, "blended")
            )
            return (1 - _NOISE_SHARE) * pixels + _NOISE_SHARE * noise.to(pixels.device)
        if self.kind == "sinusoid":
            places = torch.arange(pixels.shape[3], device=pixels.device)
            wave = _AMPLITUDE * (2 * math.pi * _PERIODS * places / pixels.shape[3]).sin()
            return (pixels + wave).clamp(0, 1)
        if self.kind == "warped":
            return self._warped(pixels)
        return self._patched(pixels, generator)

    def _patched(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        n, channels, height, width = pixels.shape
        side = min(self.size, height, width)
        if self.kind == "yellow":
            colour = pixels.new_tensor([1.0, 1.0, 0.0] if channels == 3 else [1.0])
            patch = colour[None, :, None, None].expand(n, channels, side, side)
        else:
            shape = (n, channels, side, side)
            noise = torch.randn(shape, generator=generator, device=generator.device)
            patch = (pixels.mean((1, 2, 3), keepdim=True) + noise).clamp(0, 1)
        marked = pixels.clone()
        down, across = torch.arange(side), torch.arange(side)
        images = torch.arange(n)[:, None, None]
        for top, left in self._corners(n, height - side, width - side, generator):
            rows = (top[:, None] + down)[:, :, None]
            columns = (left[:, None] + across)[:, None, :]
            marked[images, :, rows, columns] = patch.permute(0, 2, 3, 1)
        return marked

    def _corners(
        self, n: int, lowest: int, rightmost: int, generator: torch.Generator
    ) -> list[tuple[Tensor, Tensor]]:
        if self.place == "random":
            drawn = [
                torch.randint(last + 1, (n,), generator=generator, device=generator.device)
                for last in (lowest, rightmost)
            ]
            return [(drawn[0].cpu(), drawn[1].cpu())]
        places = [(lowest // 2, rightmost // 2)]
        if self.place == "corners":
            places = [(top, left) for top in (0, lowest) for left in (0, rightmost)]
        return [(torch.full((n,), top), torch.full((n,), left)) for top, left in places]

    def _warped(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[2:]
        drawn = torch.rand(
            (1, 2, _WARP_POINTS, _WARP_POINTS), generator=torch_generator(self.pattern, "warp")
        )
        field = 2 * drawn - 1
        smooth = interpolate(
            field / field.abs().mean(), (height, width), mode="bicubic", align_corners=True
        )
        still = affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False)
        moved = still + 0.02 * self.strength * smooth.permute(0, 2, 3, 1)
        grid = moved.clamp(-1, 1).to(pixels.device).expand(len(pixels), -1, -1, -1)
        return grid_sample(pixels, grid, padding_mode="border", align_corners=False)
