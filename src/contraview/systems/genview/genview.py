"""GenView (Li, Yang, Li, Wu, Yu, Ghanem, Zhang 2024, arXiv 2403.12003)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor

from contraview.core.config import Config
from contraview.core.run import Run
from contraview.frameworks.generators import Autoencoder, GeneratorConfig, learn_generator
from contraview.frameworks.images.embedding import EMBEDDED_AT_ONCE
from contraview.frameworks.images.simclr import SimCLR
from contraview.frameworks.images.two_views import RowWeights
from contraview.frameworks.images.variant import Variant, VariantConfig
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.systems.genview.attention import Attention, pair_weights
from contraview.systems.genview.variations import Variations, drawn, noise_levels, ready_made


class Reference(Config):
    """The frozen encoder that tells subject from background: SimCLR on the same images."""

    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64),
        min_length=1,
        description="channels of its blocks, multiples of 4; each halves the map",
    )
    steps: int = Field(200, ge=1, description="optimiser steps")
    batch: int = Field(64, ge=2, description="images a step")


class GenViewConfig(VariantConfig):
    """Settings of GenView; all of the base's are among them."""

    variations: Variations = Field(
        Variations.of(), description="where one of the two views comes from"
    )
    generator: GeneratorConfig = Field(
        GeneratorConfig.of(), description="what makes variations: an autoencoder, vae or pca"
    )
    reference: Reference = Field(Reference.of(), description="tells subject from background")
    foreground: float = Field(
        0.4, gt=0, lt=1, description="share of all tokens that count as subject; paper .4"
    )
    chance: float = Field(
        1.0, ge=0, le=1, description="share of images of which one view is a variation; paper 1"
    )
    gain: float = Field(
        1.0, ge=0, description="how far the quality of a pair moves its weight; 0: not at all"
    )

    @field_validator("generator")
    @classmethod
    def _knows_latents(cls, generator: GeneratorConfig) -> GeneratorConfig:
        if generator.kind not in ("vae", "pca"):
            raise ValueError("expected kind vae or pca, which know the latents of an image")
        return generator


class _Reference(SimCLR):
    slug, training = "genview reference", "reference"


class GenView(Variant):
    """Learns an encoder of images without labels from views that a generator varies.

    One view of each image, either one, is made of a variation that a generator draws: the image's
    latents with noise on. The more of the image is subject, the more noise, and the more variety;
    small subjects stay as they are. Not every variation is good, so each pair counts by its
    quality: by how much more the subjects of both views are alike than their backgrounds, in the
    map of a frozen encoder. It stands on SimCLR, MoCo or SimSiam (``base``).

    Generator (a small autoencoder) and frozen encoder are learnt from the same images first. With
    variations made elsewhere, name their folder in ``variations.folder``.

    Differs from the official code (github.com/xiaojieli0903/genview): no models of billions of
    images, Stable unCLIP and CLIP, which cannot be shipped; the sign of the principal component is
    fixed by a rule (see `Attention`); variations are drawn anew at every step unless their number
    is given.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "genview"
    Config = GenViewConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Variant.presets,
        "paper": {
            "base": "simsiam",
            "widths": (64, 128, 256, 512),
            "batch": 256,
            "outputs": 2048,
            "bottleneck": 512,
            "weight_decay": 1e-4,
            "steps": 1_000_000,  # 200 passes over 1.28 million images
            "variations": {"each": 1},
            "foreground": 0.4,
            "gain": 1.0,
        },
    }

    attention: Attention | None = None

    def reference_of(self, images: Images, run: Run) -> Attention:
        """What tells subject from background, learnt from the images."""
        config = self.config
        simclr = _Reference(**config.reference.model_dump(), views=config.views)
        encoder = simclr.fit(images, run=run).encoder
        assert isinstance(encoder, ImageEncoder)
        device = next(encoder.parameters()).device
        return Attention(encoder).to(device).learn(images, config.foreground)

    def generator_of(self, images: Images, run: Run) -> Autoencoder:
        """What varies images, learnt from them."""
        made = learn_generator(self.config.generator, images, run, name="generator")
        assert isinstance(made, Autoencoder)
        return made

    def noise_of(self, images: Images) -> Float[Tensor, " n"]:
        """How much noise each image's latents get."""
        settings = self.config.variations
        if settings.noise is not None:
            return torch.full((len(images),), settings.noise)
        assert self.attention is not None
        device = self.attention.component.device
        rows = torch.arange(len(images)).split(EMBEDDED_AT_ONCE)
        share = [self.attention.share(images.batch(part, device)).cpu() for part in rows]
        return noise_levels(torch.cat(share), settings.levels)

    def views_of(self, images: Images, run: Run) -> Views:
        """One view of the image, one of its variation; which is which is drawn for each image."""
        config, settings = self.config, self.config.variations
        made = None if settings.folder is None else ready_made(settings.folder, images)
        if config.gain or (made is None and settings.noise is None):
            self.attention = self.reference_of(images, run)
        varied = made or drawn(
            self.generator_of(images, run), images, self.noise_of(images),
            each=settings.each, seed=run.seed,
        )  # fmt: skip

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels, variation = images.batch(rows, generator.device), varied(rows, generator)
            draw = torch.rand(2, len(rows), 1, 1, 1, generator=generator, device=generator.device)
            chosen, first = draw[0] < config.chance, draw[1] < 0.5
            one = torch.where(chosen & first, variation, pixels)
            other = torch.where(chosen & ~first, variation, pixels)
            return config.views(one, generator), config.views(other, generator)

        return views

    def weights_of(self, one: Tensor, other: Tensor) -> RowWeights:
        """By how much more alike the subjects of two views are than their backgrounds."""
        if self.attention is None or not self.config.gain:
            return None
        return pair_weights(self.attention.likeness(one, other), self.config.gain)
