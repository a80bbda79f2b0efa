"""G-SimCLR (Chakraborty, Gosthipaty, Paul 2020, arXiv 2009.12007)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field

from contraview.core.run import Run
from contraview.frameworks.images.variant import Variant, VariantConfig
from contraview.modalities.images.data import Images
from contraview.systems.g_simclr.pseudo_classes import PseudoClasses
from contraview.training.samplers import Batches, Order, across_groups


class GSimCLRConfig(VariantConfig):
    """Settings of G-SimCLR; all of the base's are among them."""

    batch: int = Field(64, ge=2, description="images a step, each with two views; paper 64")
    pseudo: PseudoClasses = Field(PseudoClasses.of(), description="how pseudo-classes are found")
    group_by: str | None = Field(
        None,
        description="a column of the images' table to take in place of pseudo-classes: what is "
        "known of them anyway, such as the shop's category",
    )
    order: Order = Field(
        "spread",
        description="spread: each pseudo-class evenly over a pass; rank: all first members, then "
        "all second ones, ..., as in the paper, where the last batches hold large ones alone",
    )
    reshuffle: bool = Field(
        True, description="each pass in an order of its own; the official code: the same batches"
    )


class GSimCLR(Variant):
    """Learns an encoder of images without labels in small batches that hold few false negatives.

    Contrast pushes all images of a batch apart, those of one kind too. Here a batch is drawn from
    different pseudo-classes: k-means on the latents of a denoising autoencoder, both learnt from
    the same images first. Nothing else changes, so it stands on SimCLR, MoCo or SimSiam (``base``;
    SimSiam has no negatives and gains nothing but varied batches). Where a grouping is known
    already, name its column in ``group_by``.

    Differs from the official code (github.com/ariG23498/G-SimCLR): batches are laid out anew for
    each pass and pseudo-classes are spread evenly over it (``order`` and ``reshuffle`` bring its
    own back); no step is chosen on test data; the encoder has no batch statistics; a head of two
    layers, where that has three and probes between them.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "g_simclr"
    Config = GSimCLRConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Variant.presets,
        "paper": {
            "widths": (64, 128, 256),
            "hidden": 256,
            "outputs": 50,
            "temperature": 0.1,
            "views": {  # the official code's grey view gives its input back
                "crop": 0.0, "flip": 0.5, "jitter": 0.2, "jitter_chance": 0.5,
                "grey": 0.0, "blur": 0.0,
            },
            "pseudo": {"noise": 0.01, "widths": (32, 64, 128), "steps": 18_000},  # 23 passes
            "order": "rank",
            "reshuffle": False,
            "steps": 11_700,  # 15 passes over 50,000 images
        },
    }  # fmt: skip

    def groups(self, images: Images, run: Run) -> Int[np.ndarray, " n"]:
        """The group of each image: its pseudo-class, or what ``group_by`` names."""
        if self.config.group_by is not None:
            named = images.texts(self.config.group_by)
            return np.unique(named, return_inverse=True)[1].astype(np.int64)
        return self.config.pseudo.find(images, self.config.batch, run)

    def batches(self, images: Images, run: Run) -> Batches:
        """Batches of different groups."""
        groups = self.groups(images, run)
        sizes = np.bincount(groups)
        run.log("groups", count=len(sizes), smallest=int(sizes.min()), largest=int(sizes.max()))
        return across_groups(
            torch.from_numpy(groups), self.config.batch, run.seed,
            order=self.config.order, reshuffle=self.config.reshuffle,
        )  # fmt: skip
