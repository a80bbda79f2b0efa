"""A small generative adversarial network."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from contraview.frameworks.generators.generator import Generator, Latents, Pixels
from contraview.modalities.images.data import Images
from contraview.networks.conv import ConvEncoder
from contraview.networks.decoder import ConvDecoder
from contraview.training.step import Loss, Step


class Gan(Generator):
    """Images that a critic, trained beside, cannot tell from real ones.

    Goodfellow et al. 2014, arXiv 1406.2661. There is no way back from an image to its latents.

    Args:
        latents: the width of each level, coarsest first.
        shape: of the images.
        widths: channels of generator and critic, finest first.
    """

    def __init__(
        self, latents: tuple[int, ...], shape: tuple[int, int, int], widths: tuple[int, ...]
    ) -> None:
        super().__init__(latents, shape)
        channels, height, width = shape
        encoder = ConvEncoder(channels, widths, dimensions=2)
        for _ in widths:
            height, width = -(-height // 2), -(-width // 2)
        self.critic = nn.Sequential(
            encoder.blocks, nn.Flatten(), nn.Linear(encoder.outputs * height * width, 1)
        )
        self.decoder = ConvDecoder(latents, shape, widths)

    def decode(self, latents: Latents) -> Pixels:
        """The images that latents stand for."""
        return self.decoder(latents).sigmoid()

    def forward(
        self, pixels: Pixels, latents: Latents
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
        """The critic's logits: of real images; of made ones, for the critic; and for the decoder.

        The last two are the same numbers. Gradients of the second reach the critic alone, those of
        the third the decoder alone, so that one optimiser trains both in one step.
        """
        made = self.decode(latents)
        real, caught = self.critic(torch.cat([pixels, made.detach()])).squeeze(1).chunk(2)
        still = {name: each.detach() for name, each in self.critic.named_parameters()}
        passed = functional_call(self.critic, still, (made,)).squeeze(1)
        return real, caught, passed


def gan_loss(images: Images, widths: tuple[int, ...]) -> Loss:
    """The critic's log-loss, and the decoder's that does not saturate: -log D(G(z)) (section 3).

    ``widths`` are those of the latents.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels = images.batch(rows, generator.device)
        latents = tuple(
            torch.randn(len(rows), width, generator=generator, device=generator.device)
            for width in widths
        )
        real, caught, passed = model(pixels, latents)
        critic = softplus(-real).mean() + softplus(caught).mean()
        decoder = softplus(-passed).mean()
        return Step(critic + decoder, terms={"critic": critic, "decoder": decoder})

    return loss
