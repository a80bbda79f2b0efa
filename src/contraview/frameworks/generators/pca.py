"""The simplest generator: a normal distribution along the principal components of the pixels."""

import torch
from torch import Tensor

from contraview.frameworks.generators.generator import Autoencoder, Latents, Pixels
from contraview.modalities.images.data import Images


class PcaGaussian(Autoencoder):
    """Probabilistic PCA without its noise: x = mean + W z, cut to 0 to 1.

    Nothing is trained by steps: `learn` takes mean and components from the images. A latent is the
    coordinate along a component in standard deviations.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, latents: tuple[int], shape: tuple[int, int, int]) -> None:
        super().__init__(latents, shape)
        pixels = shape[0] * shape[1] * shape[2]
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(latents[0], pixels))

    def learn(self, images: Images) -> None:
        """Mean and components of the images; a component's largest entry is positive."""
        pixels = images.batch(torch.arange(len(images))).flatten(1).double()
        mean = pixels.mean(0)
        values, vectors = torch.linalg.eigh((pixels - mean).T @ (pixels - mean) / len(pixels))
        width = self.latents[0]
        axes = (vectors * values.clamp(min=0).sqrt()).T.flip(0)[:width]
        sign = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
        self.mean.copy_(mean)
        self.components.copy_(axes * sign)

    def encode(self, pixels: Pixels) -> Latents:
        """Coordinates along the components."""
        lengths = self.components.square().sum(1).clamp(min=1e-12)
        return ((pixels.flatten(1) - self.mean) @ self.components.T / lengths,)

    def decode(self, latents: Latents) -> Pixels:
        """The images at these coordinates."""
        flat = self.mean + latents[0] @ self.components
        return flat.clamp(0, 1).view(-1, *self.shape)
