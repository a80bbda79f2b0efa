"""What every encoder of images that is learnt without labels shares: fit, verbs, disk.

A system says how it learns, `ImagePretraining.method`; reading, views, training, read-outs and
storing are here.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import nn

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, sizes
from contraview.core.run import Run
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import LinearProbe, labels_of
from contraview.evaluation.readouts import Readout
from contraview.frameworks.images.embedding import ImageEmbedding
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder, ImageEncoder
from contraview.modalities.images.views import ViewConfig
from contraview.networks.fresh import fresh
from contraview.training.loop import train
from contraview.training.samplers import Batches, epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss

FEWEST: Final = 8
"""Images below this number teach nothing."""


class ImagePretrainingConfig(Config):
    """Settings that every pre-training of an image encoder has."""

    widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 128),
        min_length=1,
        description="channels of the encoder's blocks, each halves the resolution; the last one is "
        "the width of the embedding; multiples of 4",
    )
    views: ViewConfig = Field(ViewConfig.of(), description="how the views of an image are made")
    steps: int = Field(600, ge=1, description="optimiser steps")
    batch: int = Field(128, ge=2, description="images a step, each with two views")
    lr: float = Field(2e-3, gt=0, description="peak learning rate of AdamW")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay")
    probe_c: float = Field(
        0.1, gt=0, description="inverse regularisation of the linear probe behind `classify`"
    )


@dataclass(frozen=True)
class Method:
    """How an encoder learns.

    Attributes:
        model: holds the encoder and whatever is trained or kept with it.
        loss: of the model, for the training loop.
        after_step: moves a teacher, where there is one.
    """

    model: nn.Module
    loss: Loss
    after_step: Callable[[nn.Module, int], None] | None = None


class ImagePretraining(ImageEmbedding):
    """An encoder learnt from images without labels; with some labels, also a linear classifier.

    Verbs: `embed`, `search`; `classify` where `fit` was given labels.
    """

    Config = ImagePretrainingConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {},
        "tiny": {"widths": (16, 32, 64), "steps": 200, "batch": 64},
    }

    Probe: ClassVar[type[Any]] = LinearProbe
    """What reads classes off embeddings."""

    training: ClassVar[str] = "pretrain"
    """What its training is called among those of a run."""
    probe: Any = None

    @abstractmethod
    def method(self, encoder: Encoder, images: Images, run: Run) -> Method:
        """How ``encoder`` learns from ``images``; initial weights come from the run's seed."""

    def batches(self, images: Images, run: Run) -> Batches:
        """Which images meet at a step: pass after pass, each in its own order."""
        return epochs(len(images), self.config.batch, run.seed)

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "ImagePretraining":
        """Learn an encoder from all ``images``; with ``labels``, also what `classify` needs.

        Args:
            images: see `read_images`.
            labels: a class for each image, empty where unknown: a few a class are enough. The
                encoder does not see them.
            run: seed, folder and progress.
        """
        run, images = run or Run(), self.images_of(images)
        if len(images) < FEWEST:
            raise InputError(f"{len(images)} images to learn from; expected at least {FEWEST}")
        names = None if labels is None else labels_of(labels, len(images))
        config = self.config
        self.shape = images.shape
        self._facts = {"images": len(images), "fingerprint": images.fingerprint()}
        run.log("data", **self._facts)
        encoder = self.fresh_encoder(images, run.seed)
        method = self.method(encoder, images, run)
        train(
            method.model,
            method.loss,
            self.batches(images, run),
            Schedule.of(
                steps=config.steps,
                batch=config.batch,
                lr=config.lr,
                warmup=config.warmup,
                weight_decay=config.weight_decay,
            ),
            run=run,
            name=self.training,
            settings=config.model_dump(mode="json") | self._facts,
            after_step=method.after_step,
        )
        self.encoder, self.probe = encoder, None
        return self if names is None else self.learn_classes(images, names)

    def network(self, shape: tuple[int, int, int]) -> Encoder:
        """The encoder of images of ``shape`` (channels, height, width), weights still to be set."""
        return ImageEncoder(shape[0], self.config.widths)

    def fresh_encoder(self, images: Images, seed: int) -> Encoder:
        """An untrained encoder for such images."""
        encoder = fresh(lambda: self.network(images.shape), seed, "encoder")
        encoder.learn(images)
        return encoder

    def learn_classes(self, images: Any, labels: Sequence[str] | np.ndarray) -> "ImagePretraining":
        """Fit a linear probe on embeddings of labelled images; the encoder stays as it is."""
        images = self.images_of(images)
        names = labels_of(labels, len(images))
        known = np.flatnonzero(names != "")
        self.probe = self.Probe.fit(
            self.embed(images.take(known)), names[known], c=self.config.probe_c
        )
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that `classify` tells apart."""
        return self._need_probe().classes

    def classify(self, images: Any, /) -> Float[np.ndarray, "n c"]:
        """The probability of each of `classes` for each image; after a `fit` with labels."""
        probe = self._need_probe()
        return probe.classify(self.embed(images))

    def readout(self) -> tuple[nn.Module | None, tuple[str, ...]]:
        """The probe, where it was learnt."""
        return (None, ()) if self.probe is None else (Readout(self.probe), self.probe.classes)

    def _need_probe(self) -> Any:
        self.need_fit()
        if self.probe is None:
            raise InputError(f"{self.slug}: learnt no classes; fit with labels")
        return self.probe

    def learnt(self) -> Learnt:
        """Encoder and, where learnt, the probe."""
        parts = {"encoder": Learnt(weights_of(self.encoder))}
        if self.probe is not None:
            parts["probe"] = self.probe.learnt()
        whole = Learnt.joined(parts)
        whole.facts |= {"shape": list(self.shape), "data": self._facts}
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self._facts = (channels, height, width), learnt.facts["data"]
        self.encoder = self.network(self.shape)
        set_weights(self.encoder, learnt.part("encoder").arrays)
        self.encoder.eval()
        if "probe" in learnt.facts:
            self.probe = self.Probe.restore(learnt.part("probe"))
