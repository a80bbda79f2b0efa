"""The variational autoencoder, with one level of latents or several."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from contraview.frameworks.generators.generator import Autoencoder, Latents, Pixels
from contraview.modalities.images.data import Images
from contraview.networks.conv import ConvEncoder
from contraview.networks.decoder import ConvDecoder
from contraview.training.step import Loss, Step


class Vae(Autoencoder):
    """Latents of an image from the encoder's maps, the image from its latents.

    Kingma and Welling 2013, arXiv 1312.6114. With several widths it is the variational ladder
    autoencoder (Zhao, Song, Ermon 2017, arXiv 1702.08396): the coarsest level is read from the
    encoder's last map, each finer one from the map before, and they enter the decoder in reverse
    order. The levels are independent in the prior, so each can be moved on its own.

    Args:
        latents: the width of each level, coarsest first; at most as many as ``widths``.
        shape: of the images.
        widths: channels of encoder and decoder, finest first.
    """

    def __init__(
        self, latents: tuple[int, ...], shape: tuple[int, int, int], widths: tuple[int, ...]
    ) -> None:
        super().__init__(latents, shape)
        channels, height, width = shape
        layers = list(ConvEncoder(channels, widths, dimensions=2).blocks.children())
        self.blocks = nn.ModuleList(
            nn.Sequential(*layers[start : start + 3]) for start in range(0, len(layers), 3)
        )
        areas: list[int] = []
        for _ in widths:
            height, width = -(-height // 2), -(-width // 2)
            areas.append(height * width)
        self.moments = nn.ModuleList(
            nn.Linear(widths[-1 - level] * areas[-1 - level], 2 * latent)
            for level, latent in enumerate(latents)
        )
        self.decoder = ConvDecoder(latents, shape, widths)

    def posterior(self, pixels: Pixels) -> list[tuple[Tensor, Tensor]]:
        """Mean and log variance of q(z | x), a pair of [n, d] a level."""
        items = pixels.contiguous(memory_format=torch.channels_last)
        maps: list[Tensor] = []
        for block in self.blocks:
            items = block(items)
            maps.append(items)
        found: list[tuple[Tensor, Tensor]] = []
        for level, moments in enumerate(self.moments):
            mean, log_variance = moments(maps[-1 - level].flatten(1)).chunk(2, dim=1)
            found.append((mean, log_variance.clamp(-10, 10)))
        return found

    def encode(self, pixels: Pixels) -> Latents:
        """The means of q(z | x)."""
        return tuple(mean for mean, _ in self.posterior(pixels))

    def decode(self, latents: Latents) -> Pixels:
        """The mean of p(x | z)."""
        return self.decoder(latents).sigmoid()

    def forward(
        self, pixels: Pixels, noise: Latents
    ) -> tuple[Float[Tensor, "n c h w"], list[Float[Tensor, " n"]]]:
        """Logits of the pixels from latents drawn by ``noise``; each level's divergence."""
        found = self.posterior(pixels)
        drawn = [
            mean + (log_variance / 2).exp() * each
            for (mean, log_variance), each in zip(found, noise, strict=True)
        ]
        return self.decoder(drawn), [divergence(*each) for each in found]


def divergence(
    mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"]
) -> Float[Tensor, " n"]:
    """KL(N(mean, variance) | N(0, 1)) in nats, summed over dimensions (appendix B of the VAE)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


def vae_loss(images: Images, beta: float, latents: tuple[int, ...]) -> Loss:
    """Minus the evidence bound of an image, in nats: cross-entropy of the pixels + beta KL.

    Pixels between 0 and 1 are taken as chances, as is usual. ``beta`` 1 is the bound; ``latents``
    are the widths of the levels.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels = images.batch(rows, generator.device)
        noise = tuple(
            torch.randn(len(rows), width, generator=generator, device=generator.device)
            for width in latents
        )
        logits, divergences = model(pixels, noise)
        told = binary_cross_entropy_with_logits(logits, pixels, reduction="sum") / len(rows)
        far = torch.stack(divergences).sum(0).mean()
        terms = {f"KL {level}": each.mean() for level, each in enumerate(divergences)}
        return Step(told + beta * far, terms={"pixels": told, **terms})

    return loss
