"""MLVGM views (Serez, Cristani, Del Bue, Murino, Morerio 2025, arXiv 2501.13718)."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int, UInt8
from pydantic import Field, model_validator
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.core.weights import set_weights, weights_of
from contraview.frameworks.generators import (
    Autoencoder,
    Generator,
    GeneratorConfig,
    Latents,
    fresh_generator,
    learn_generator,
)
from contraview.frameworks.images.variant import Variant, VariantConfig
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.views import ViewConfig
from contraview.systems.mlvgm_views.critic import CriticConfig, information, learnt_walks
from contraview.systems.mlvgm_views.moves import Move, MoveConfig, Noise, Walks, anchors
from contraview.training.samplers import Batches, epochs

MADE_AT_ONCE = 256


class MlvgmViewsConfig(VariantConfig):
    """Settings of MLVGM views; all of the base's are among them."""

    views: ViewConfig = Field(
        ViewConfig.of(jitter=0.0, grey=0.0, blur=0.0),
        description="T_x, how views are made of generated images; paper: crops and flips alone",
    )
    generator: GeneratorConfig = Field(
        GeneratorConfig.of(latents=(4, 24), steps=800),
        description="the model with levels of latents: vae or gan; pca and diffusion have one",
    )
    move: MoveConfig = Field(MoveConfig.of(), description="T_z, from an anchor to its positive")
    critic: CriticConfig = Field(CriticConfig.of(), description="tells what views share")
    sample: int | None = Field(
        None, ge=2, description="pairs, drawn once; unset: new ones at every step, as in the paper"
    )

    @model_validator(mode="after")
    def _a_size_each(self) -> "MlvgmViewsConfig":
        levels = 1 if self.generator.kind == "diffusion" else len(self.generator.latents)
        if len(self.move.sizes) != levels:
            raise ValueError(
                f"{len(self.move.sizes)} move.sizes for {levels} levels of latents; expected one "
                "each"
            )
        return self


class MlvgmViews(Variant):
    """Learns an encoder of images from generated pairs alone, and makes more images like yours.

    A generator with several levels of latents, from the whole down to details, is learnt from the
    images. From then on no real image is looked at: an anchor is drawn from the generator, and its
    positive by moving the levels that shall not matter, at every step anew. A level may be moved by
    noise (``move.sizes``) or along a learnt walk that goes as far as a critic still recognises the
    pair. `information` says what each level decides. It stands on SimCLR, MoCo or SimSiam
    (``base``).

    Differs from the official code (github.com/SerezD/mi_ml_gen): a small ladder autoencoder or GAN
    learnt from the user's images, not StyleGAN2 or BigBiGAN; a generator of numbers for each step,
    where that divides its seeds by the epoch and draws ever fewer; critic and walk share a rate.

    Verbs: `embed`, `search`, `generate`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "mlvgm_views"
    Config = MlvgmViewsConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Variant.presets,
        "paper": {
            "base": "simsiam",
            "widths": (64, 128, 256, 512),
            "batch": 512,
            "outputs": 2048,
            "bottleneck": 512,
            "weight_decay": 1e-4,
            "steps": 250_000,  # 100 passes; 1.28 million images a pass
            "views": {"crop": 0.2, "flip": 0.5, "jitter": 0.0, "grey": 0.0, "blur": 0.0},
            "generator": {
                "kind": "gan", "latents": (20,) * 4, "widths": (64, 128, 256, 512),
                "steps": 100_000,
            },
            "move": {"kind": "learned", "sizes": (0.2, 0.0, 0.8, 0.8), "truncation": 2.0},
            "critic": {
                "widths": (64, 128, 256, 512), "outputs": 128, "steps": 16_000, "batch": 64,
                "temperature": 0.1, "lr": 8e-5, "limit": 2.5, "estimates": 7_800,
            },
        },
    }  # fmt: skip

    generator: Generator
    move: Move

    def generator_of(self, images: Images, run: Run) -> Generator:
        """The generator, learnt from the images and frozen."""
        return learn_generator(self.config.generator, images, run, name="generator")

    def move_of(self, generator: Generator, run: Run) -> Move:
        """How positives are made; walks are learnt here."""
        move = self._fresh_move(generator, run.seed)
        if isinstance(move, Walks):
            device = next(generator.buffers(), next(generator.parameters())).device
            return learnt_walks(
                generator, move.to(device), self.config.critic,
                truncation=self.config.move.truncation, run=run,
            )  # fmt: skip
        return move

    def _fresh_move(self, generator: Generator, seed: int) -> Move:
        move = self.config.move
        if move.kind == "random":
            return Noise(move.sizes, move.truncation)
        moving = tuple(size > 0 for size in move.sizes)
        return Walks(generator.latents, move.hidden, moving, seed)

    def batches(self, images: Images, run: Run) -> Batches:  # noqa: ARG002 - none is looked at
        """Numbers of the pairs that are drawn once; else nothing but how many to draw."""
        batch = self.config.batch
        return epochs(self.config.sample or batch, batch, run.seed)

    def views_of(self, images: Images, run: Run) -> Views:
        """An anchor and its positive, both generated."""
        config = self.config
        self.generator = self.generator_of(images, run)
        self.move = self.move_of(self.generator, run)
        kept: tuple[Latents, Latents] | None = None
        if config.sample is not None:
            kept = self.pairs(config.sample, torch_generator(run.seed, "sample"))

        @torch.no_grad()
        def views(rows: Int[Tensor, " b"], draw: torch.Generator) -> tuple[Tensor, Tensor]:
            if kept is None:
                one, other = self.pairs(len(rows), draw)
            else:
                one, other = (
                    tuple(level[rows.to(level.device)].to(draw.device) for level in latents)
                    for latents in kept
                )
            first, second = self.generator.decode(one), self.generator.decode(other)
            return config.views(first, draw), config.views(second, draw)

        return views

    @torch.no_grad()
    def pairs(self, n: int, draw: torch.Generator) -> tuple[Latents, Latents]:
        """The latents of ``n`` anchors, and of their positives."""
        latents = anchors(self.generator.latents, n, self.config.move.truncation, draw)
        return latents, self.move(latents, draw)

    def information(self, displacement: float = 2.0, *, run: Run | None = None) -> dict[str, float]:
        """What an image still tells of itself when one level of its latents has been moved.

        In nats, from below, at most the logarithm of the critic's batch. The less is left, the more
        the level decides; levels with much left are the ones to move.

        Args:
            displacement: the length of the move, the same for every level.
            run: seed, folder and progress of the critics' training.
        """
        self.need_fit()
        run, config = run or Run(), self.config
        widths = self.generator.latents
        found = {}
        for level, width in enumerate(widths):
            sizes = [0.0] * len(widths)
            sizes[level] = displacement / math.sqrt(width)
            found[f"level {level}"] = information(
                self.generator, tuple(sizes), config.critic,
                truncation=config.move.truncation, run=run, name=f"information {level}",
            )  # fmt: skip
        return found

    @torch.no_grad()
    def generate(
        self, references: Any = None, /, *, count: int = 1, seed: int = 0
    ) -> UInt8[np.ndarray, "m c h w"]:
        """New images, pixels from 0 to 255.

        Args:
            references: images to draw ``count`` positives of each, in their order; None draws
                ``count`` images of whatever kind.
            count: images, for each reference or in all.
            seed: the same seed draws the same images.
        """
        self.need_fit()
        if count < 1:
            raise InputError(f"{self.slug}: {count} images asked for; expected at least 1")
        draw = torch_generator(seed, self.slug, "generate")
        if references is None:
            latents = self.pairs(count, draw)[0]
        else:
            found = self.encoded(self.images_of(references))
            latents = self.move(tuple(z.repeat_interleave(count, 0) for z in found), draw)
        parts = zip(*(level.split(MADE_AT_ONCE) for level in latents), strict=True)
        made = torch.cat([self.generator.decode(part) for part in parts])
        return (made * 255).round().byte().numpy()

    def encoded(self, images: Images) -> Latents:
        """The latents of images, a tensor a level, coarsest first."""
        images.need_shape(self.shape, self.slug)
        if not isinstance(self.generator, Autoencoder):
            raise InputError(
                f"{self.slug}: a generator of kind {self.config.generator.kind} does not know the "
                "latents of an image; generate without references, or fit with kind vae"
            )
        parts = torch.arange(len(images)).split(MADE_AT_ONCE)
        found = [self.generator.encode(images.batch(part)) for part in parts]
        return tuple(torch.cat(level) for level in zip(*found, strict=True))

    def learnt(self) -> Learnt:
        """Encoder, probe where learnt, generator and walks."""
        whole = super().learnt()
        more = Learnt.joined(
            {
                "generator": Learnt(weights_of(self.generator)),
                "move": Learnt(weights_of(self.move)),
            }
        )
        whole.arrays |= more.arrays
        whole.facts |= more.facts
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        super().restore(learnt)
        self.generator = fresh_generator(self.config.generator, self.shape, 0)
        set_weights(self.generator, learnt.part("generator").arrays)
        self.generator.requires_grad_(False).eval()
        self.move = self._fresh_move(self.generator, 0)
        set_weights(self.move, learnt.part("move").arrays)
        self.move.requires_grad_(False).eval()
