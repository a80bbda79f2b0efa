"""The study as a system: an encoder that keeps its head, and says what each layer holds."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field
from torch import nn

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import cross_validated
from contraview.frameworks.images.two_views import Contrast
from contraview.frameworks.images.variant import Variant, VariantConfig
from contraview.modalities.images.data import Images, read_images
from contraview.modalities.images.nets import Encoder
from contraview.systems.projection_head.layers import (
    ENCODER,
    LayerVectors,
    layer_names,
    layer_vectors,
    strengths,
)


class ProjectionHeadConfig(VariantConfig):
    """Settings of the projection head study."""

    layer: str = Field(
        ENCODER,
        description="what `embed`, `search` and `classify` read: encoder, head, hidden or a block, "
        "such as 'block 2'",
    )


class ProjectionHead(Variant):
    """Shows what a projection head hides, layer by layer, and offers one without weights.

    After contrastive training the head is thrown away. This system keeps it: `audit` says for each
    layer how unequally it weights its features and, where images have labels, how well these can
    be read from it. Features that the views destroy or the training does not need are often gone
    behind the head and still there before it. ``head="reweight"`` replaces it by fixed weights
    ``kappa^-i``, on SimCLR, MoCo or SimSiam alike.

    The official repository holds the supervised and ImageNet part alone, in which a trained head
    is commented out; its weights below float32's normal range are zero here as there.

    Verbs: `embed`, `search`, `classify` at any ``layer``; `audit`.
    """

    slug = "projection_head"
    Config = ProjectionHeadConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Variant.presets,
        "paper": {
            "base": "simclr",
            "widths": (64, 128, 256, 512),
            "hidden": 2048,
            "outputs": 128,
            "temperature": 0.5,
            "kappa": 1.05,
            "batch": 512,
            "steps": 39_000,  # 400 passes over 50,000 images; the paper's own: not found
        },
    }

    head: nn.Module

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """That of the base, whose head is kept."""
        made = super().contrast(encoder, seed)
        self.head = made.head
        self._need_layer(encoder)
        return made

    def layers(self, images: Any, /) -> dict[str, Float[np.ndarray, "n _"]]:
        """The vectors of the images at every layer, from the bottom."""
        self.need_fit()
        images = read_images(images)
        images.need_shape(self.shape, self.slug)
        return layer_vectors(self.encoder, self.head, images, layer_names(self.encoder, self.head))

    def embed(self, images: Any, /) -> Float[np.ndarray, "n d"]:
        """The vectors of the images at ``layer``."""
        self.need_fit()
        images = read_images(images)
        images.need_shape(self.shape, self.slug)
        layer = self.config.layer
        return layer_vectors(self.encoder, self.head, images, (layer,))[layer]

    def vectors(self) -> nn.Module:
        """What `embed` is made by: the layers up to ``layer``."""
        return LayerVectors(self.encoder, self.head, self.config.layer)

    def audit(self, images: Any, /) -> dict[str, float]:
        """For each layer its width, effective rank, largest share of the variance, and accuracy.

        Accuracy is that of a linear probe on the images' labels, five times on a fifth that it has
        not seen; images without labels, or one of a class alone, give none.
        """
        images = read_images(images)
        if len(images) < 2:
            raise InputError(f"{len(images)} images to audit with; expected at least 2")
        labels = _known(images)
        figures: dict[str, float] = {"images": float(len(images))}
        for layer, vectors in self.layers(images).items():
            figures |= {f"{layer}: {name}": value for name, value in strengths(vectors).items()}
            if labels is not None:
                accuracy = cross_validated(vectors, labels, c=self.config.probe_c)
                figures[f"{layer}: accuracy of a linear probe"] = accuracy
        return figures

    def learnt(self) -> Learnt:
        """Encoder, probe and head."""
        whole = super().learnt()
        head = Learnt.joined({"head": Learnt(weights_of(self.head))})
        whole.arrays |= head.arrays
        whole.facts |= head.facts
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        super().restore(learnt)
        self.contrast(self.network(self.shape), 0)
        set_weights(self.head, learnt.part("head").arrays)
        self.head.eval()

    def _need_layer(self, encoder: Encoder) -> None:
        names = layer_names(encoder, self.head)
        if self.config.layer not in names:
            raise InputError(
                f"{self.slug}: no layer {self.config.layer!r}; there are {', '.join(names)}"
            )


def _known(images: Images) -> np.ndarray | None:
    """The labels, where at least two classes have two images each."""
    if images.label is None:
        return None
    labels = images.labels()
    classes, counts = np.unique(labels[labels != ""], return_counts=True)
    return labels if len(classes[counts > 1]) > 1 else None
