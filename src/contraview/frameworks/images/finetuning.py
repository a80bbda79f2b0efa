"""What systems share that train an encoder of images on with labels: verbs, labels, one trainer."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, demand, sizes, texts
from contraview.core.run import Run
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import labels_of
from contraview.frameworks.images.embedding import ImageEmbedding
from contraview.frameworks.images.graph import Softmax
from contraview.modalities.images.data import Images
from contraview.modalities.images.views import ViewConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step


class FinetuningConfig(Config):
    """Settings of training on with labels."""

    steps: int = Field(200, ge=1, description="optimiser steps")
    batch: int = Field(64, ge=2, description="labelled images a step")
    lr: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay")
    views: ViewConfig = Field(
        ViewConfig.of(crop=0.6, jitter=0.0, grey=0.0, blur=0.0),
        description="how a labelled image is altered before it is learnt from",
    )


@dataclass(frozen=True)
class Labelled:
    """Images that have a class each.

    Attributes:
        images: those with a label alone.
        targets: the number of each image's class.
        classes: their names, sorted.
    """

    images: Images
    targets: Int[Tensor, " n"]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, images: Images, labels: Sequence[str] | Shaped[np.ndarray, " m"]) -> "Labelled":
        """The labelled ones of ``images``; an empty label is none.

        Raises:
            InputError: another number of labels than images, or fewer than two classes.
        """
        names = labels_of(labels, len(images))
        known = np.flatnonzero(names != "")
        classes, targets = np.unique(names[known], return_inverse=True)
        return cls(images.take(known), torch.from_numpy(targets), tuple(map(str, classes)))

    def batch(
        self, rows: Int[Tensor, " b"], views: ViewConfig, generator: torch.Generator
    ) -> tuple[Float[Tensor, "b c h w"], Int[Tensor, " b"]]:
        """A view of each of some images, and their classes, on the generator's device."""
        device = generator.device
        pixels = views(self.images.batch(rows, device), generator)
        return pixels, self.targets[rows].to(device)


class ClassifierNetwork(nn.Module):
    """An encoder with a linear classifier on its vectors."""

    def __init__(self, encoder: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.classifier = encoder, classifier

    def forward(
        self, pixels: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
        """The vector of each image and its score for each class."""
        vectors = self.encoder(pixels)
        return vectors, self.classifier(vectors)


def cross_entropy_loss(labelled: Labelled, views: ViewConfig) -> Loss:
    """Cross entropy of a `ClassifierNetwork` on views of labelled images."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels, targets = labelled.batch(rows, views, generator)
        vectors, scores = model(pixels)
        return Step(nn.functional.cross_entropy(scores, targets), vectors, narrow=True)

    return loss


def finetune(
    network: nn.Module,
    loss: Loss,
    labelled: Labelled,
    config: FinetuningConfig,
    run: Run,
    settings: Mapping[str, Any],
) -> None:
    """Train all weights of ``network`` in place, pass after pass over the labelled images.

    Args:
        network: what ``loss`` calls.
        loss: over rows of ``labelled``.
        labelled: what to learn from; its fingerprint guards the checkpoint.
        config: steps, batch, rate, decay.
        run: seed, folder and progress.
        settings: of the whole system, for the checkpoint.
    """
    train(
        network,
        loss,
        epochs(len(labelled.targets), config.batch, run.seed),
        Schedule.of(
            steps=config.steps,
            batch=config.batch,
            lr=config.lr,
            warmup=config.warmup,
            weight_decay=config.weight_decay,
        ),
        run=run,
        name="finetune",
        settings={**settings, "labelled": labelled.images.fingerprint()},
    )


class ImageFinetuning(ImageEmbedding):
    """An encoder of images that is trained on with labels, and its own linear classifier.

    Verbs: `embed`, `search`, and `classify` once it has learnt classes.
    """

    classifier: nn.Linear | None = None
    _classes: tuple[str, ...] = ()
    _facts: dict[str, Any]

    @abstractmethod
    def encoder_for(self, facts: Mapping[str, Any]) -> nn.Module:
        """An encoder of the right form, for `restore` to fill; ``facts`` are those of `learnt`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that `classify` tells apart."""
        self._need_classifier()
        return self._classes

    @torch.inference_mode()
    def classify(self, images: Any, /) -> Float[np.ndarray, "n k"]:
        """The probability of each of `classes` for each image; after labels were learnt."""
        classifier = self._need_classifier()
        vectors = torch.from_numpy(self.embed(images)).to(classifier.weight.device)
        return classifier(vectors).double().softmax(1).cpu().numpy()

    def readout(self) -> tuple[nn.Module | None, tuple[str, ...]]:
        """The classifier, where it was learnt."""
        return (None, ()) if self.classifier is None else (Softmax(self.classifier), self._classes)

    def _need_classifier(self) -> nn.Linear:
        self.need_fit()
        if self.classifier is None:
            raise InputError(f"{self.slug}: learnt no classes; fit with labels")
        return self.classifier

    def learnt(self) -> Learnt:
        """Encoder and, where learnt, classifier."""
        parts = {"encoder": Learnt(weights_of(self.encoder))}
        if self.classifier is not None:
            facts = {"classes": list(self._classes), "bias": self.classifier.bias is not None}
            parts["classifier"] = Learnt(weights_of(self.classifier), facts=facts)
        whole = Learnt.joined(parts)
        whole.facts |= {"shape": list(self.shape), "data": self._facts}
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self._facts = (channels, height, width), learnt.facts["data"]
        encoder = self.encoder_for(learnt.facts)
        set_weights(encoder, learnt.part("encoder").arrays)
        self.encoder = encoder.eval()
        if "classifier" in learnt.facts:
            part = learnt.part("classifier")
            classes, inputs = part.arrays["weight"].shape
            self.classifier = nn.Linear(inputs, classes, bias=part.facts["bias"])
            set_weights(self.classifier, part.arrays)
            self._classes = texts(part.facts["classes"], "classes")
            demand(len(self._classes) == classes, "classes and weights that do not fit")
