"""A small diffusion model of images, on the library's own noising and sampling."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from contraview.frameworks.diffusion import LEARNT_TIMES, Noising, diffusion_loss, sample
from contraview.frameworks.generators.generator import Generator, Latents, Pixels
from contraview.modalities.images.data import Images
from contraview.networks.unet import UNet, UNetDecoder, UNetEncoder
from contraview.training.step import Loss

TIMES = 100
"""T, steps of the noising process."""
FOLD = 2
"""Squares of so many pixels a side become channels: a fourth of the positions, at full detail."""


class Diffusion(Generator):
    """Images out of noise in a few evaluations of a small U-Net.

    The U-Net is told the time as one more channel and predicts v = a e - s x (Salimans and Ho 2022,
    arXiv 2202.00512, section 4), from which the noise follows as s x_t + a v: where there is almost
    nothing but noise, nothing has to be learnt. The latent is the noise that is begun with, one
    number a pixel; nothing else is random. There is no way back from an image.

    Args:
        shape: of the images; sides are even.
        widths: of the U-Net, finest first, multiples of 8.
        steps: evaluations an image.
    """

    def __init__(
        self, shape: tuple[int, int, int], widths: tuple[int, ...], *, steps: int = 8
    ) -> None:
        channels, height, width = shape
        super().__init__((channels * height * width,), shape)
        self.steps = steps
        self.noising = Noising(TIMES, "cosine")
        folded = channels * FOLD**2
        self.network = UNet(
            UNetEncoder(folded + 1, widths, norm="group"),
            UNetDecoder(widths, folded, norm="group"),
        )

    def forward(
        self,
        images: Float[Tensor, "n c h w"],
        times: Float[Tensor, " n"],
        *_: Tensor | None,
    ) -> Float[Tensor, "n c h w"]:
        """The noise in images at these times, from 0 (clean) to `LEARNT_TIMES` (noise alone)."""
        folded = pixel_unshuffle(images, FOLD)
        place = (2 * times / LEARNT_TIMES - 1)[:, None, None, None]
        told = torch.cat([folded, place.expand(-1, 1, *folded.shape[2:])], 1)
        velocity = self.network(told.contiguous(memory_format=torch.channels_last))
        step = (times * (TIMES / LEARNT_TIMES)).round().long() - 1
        a, s = (each[:, None, None, None] for each in self.noising.at(step))
        return s * images + a * pixel_shuffle(velocity, FOLD)

    def decode(self, latents: Latents) -> Pixels:
        """The images that noise becomes; no gradient goes through."""
        start = latents[0].view(-1, *self.shape)
        drawn = sample(self, self.noising, start, steps=self.steps, order=1, clip=1.0)
        return ((drawn + 1) / 2).clamp(0, 1)


def denoising_loss(images: Images, noising: Noising) -> Loss:
    """See `diffusion_loss`; pixels are taken from -1 to 1, without a condition."""

    def clean(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, None]:
        return 2 * images.batch(rows, generator.device) - 1, None

    return diffusion_loss(noising, clean, drop=0.0)
