"""What every small generator of images can do, whatever it is made of."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

Latents = tuple[Tensor, ...]
"""One [n, d] a level, coarsest first; drawn from the prior each is standard normal."""
Pixels = Float[Tensor, "n c h w"]


class Generator(nn.Module, ABC):
    """A model of images: from standard normal latents to pixels from 0 to 1.

    Attributes:
        latents: the width of each level, coarsest first.
        shape: channels, height and width of the images.

    `decode` lets gradients through, so latents can be learnt or moved; nothing here is random but
    what comes from the generator of numbers handed in.
    """

    def __init__(self, latents: tuple[int, ...], shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.latents, self.shape = latents, shape

    @abstractmethod
    def decode(self, latents: Latents) -> Pixels:
        """The images that latents stand for."""

    def draw(self, n: int, generator: torch.Generator) -> Latents:
        """Latents of ``n`` new images, from the prior."""
        return tuple(
            torch.randn(n, width, generator=generator, device=generator.device)
            for width in self.latents
        )

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Pixels:
        """``n`` new images."""
        return self.decode(self.draw(n, generator))

    def perturb(
        self, latents: Latents, *, level: int, size: float, generator: torch.Generator
    ) -> Latents:
        """The latents with Gaussian noise of deviation ``size`` added to those of one level.

        Neighbours of an image in what that level stands for: ``decode(perturb(encode(pixels)))``.
        """
        moved = latents[level]
        noise = torch.randn(moved.shape, generator=generator, device=generator.device)
        return (*latents[:level], moved + size * noise, *latents[level + 1 :])


class Autoencoder(Generator):
    """A generator that also says which latents an image has."""

    @abstractmethod
    def encode(self, pixels: Pixels) -> Latents:
        """The most likely latents of images; the same for the same images."""
