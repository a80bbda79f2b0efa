"""Small generators of images, for views, fakes and latents to move: one interface, four kinds."""

from contraview.frameworks.generators.fitting import (
    GeneratorConfig,
    fresh_generator,
    learn_generator,
)
from contraview.frameworks.generators.generator import Autoencoder, Generator, Latents

__all__ = [
    "Autoencoder",
    "Generator",
    "GeneratorConfig",
    "Latents",
    "fresh_generator",
    "learn_generator",
]
