"""Selfie (Trinh, Luong, Le 2019, arXiv 1906.02940)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, sizes
from contraview.core.model_folder import read_model
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import labels_of
from contraview.frameworks.images.finetuning import (
    ClassifierNetwork,
    ImageFinetuning,
    Labelled,
    cross_entropy_loss,
    finetune,
)
from contraview.modalities.images.data import Images, read_images
from contraview.networks.fresh import fresh
from contraview.pairing.masks import random_mask
from contraview.systems.selfie.config import NETWORK, PRESETS, SelfieConfig
from contraview.systems.selfie.network import (
    PatchChoice,
    PatchNetwork,
    Summary,
    WholeNetwork,
    check_patches,
    cut_patches,
    fresh_choice,
    retake_statistics,
)
from contraview.systems.selfie.pretraining import (
    choice_accuracy,
    choices,
    pretraining_loss,
)
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

FEWEST = 8
AT_ONCE = 512


class Selfie(ImageFinetuning):
    """Pre-trains the first stages of a network on images without labels, then learns from few.

    An image is cut into a grid of patches, some of which are taken out. What attention makes of the
    others, and the place of a missing patch, have to tell which of the missing patches belongs
    there: the candidates are all of the same image. Each patch goes through the network by itself.
    With labels, one more stage and a classifier are added and all is fine-tuned on whole images;
    the attention is put aside.

    There is no official code. Settled here: patches see no neighbours; running statistics are taken
    anew on whole images before fine-tuning where batch normalisation is used (by default it is
    not); patches are neither cut nor recoloured by themselves unless asked for; the first stride is
    1, and images whose patches the strides would use up are refused; seen patches carry their
    position too; logits' deviation and accuracy beside chance are in the run's log.

    Verbs: `embed` (attention's summary of all patches; after fine-tuning, the fine-tuned network's
    vector), `search`, and `classify` after a fit with labels or `finetune`.
    """

    slug = "selfie"
    Config = SelfieConfig
    presets: ClassVar = PRESETS

    choice: PatchChoice

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "Selfie":
        """Pre-train on all ``images``, or take over ``start``; with ``labels`` also fine-tune.

        Args:
            images: see `read_images`; squares that the grid divides.
            labels: a class for each image, empty where unknown.
            run: seed, folder and progress.
        """
        run, images = run or Run(), read_images(images)
        if len(images) < FEWEST:
            raise InputError(f"{len(images)} images to learn from; expected at least {FEWEST}")
        if labels is not None:
            labels_of(labels, len(images))
        self._facts = {"images": len(images), "fingerprint": images.fingerprint()}
        if self.config.start is not None:
            self._begin_with(read_model(Path(self.config.start)), images)
        else:
            self._pretrain(images, run)
        self.encoder, self.classifier, self._classes = Summary(self.choice), None, ()
        return self if labels is None else self.finetune(images, labels=labels, run=run)

    def _pretrain(self, images: Images, run: Run) -> None:
        config = self.config
        check_patches(images.shape, config)
        self.shape = images.shape
        run.log("data", **self._facts)
        self.choice = fresh_choice(self.shape, config, run.seed)
        self.choice.patch.standardise.learn(images)
        if not config.steps:
            return
        train(
            self.choice,
            pretraining_loss(images, config),
            epochs(len(images), config.batch, run.seed),
            Schedule.of(
                steps=config.steps,
                batch=config.batch,
                lr=config.lr,
                warmup=config.warmup,
                weight_decay=config.weight_decay,
            ),
            run=run,
            name="pretrain",
            settings=config.model_dump(mode="json") | self._facts,
        )

    def _begin_with(self, model: Any, images: Images) -> None:
        if model.slug != self.slug:
            raise InputError(f"{self.config.start}: a model of {model.slug}; expected {self.slug}")
        before = type(self).from_model(model)
        images.need_shape(before.shape, self.slug)
        kept = {name: getattr(before.config, name) for name in NETWORK}
        self.config = self.config.model_copy(update=kept)
        self.shape, self.choice = before.shape, before.choice

    def finetune(
        self, images: Any, /, *, labels: Sequence[str] | np.ndarray, run: Run | None = None
    ) -> "Selfie":
        """Learn classes on whole images, from the pre-trained weights; those stay as they are.

        Args:
            images: as for `fit`; those without a label take no part.
            labels: a class for each image, empty where unknown.
            run: seed, folder and progress.
        """
        self.need_fit()
        run, images = run or Run(), read_images(images)
        images.need_shape(self.shape, self.slug)
        labelled, config = Labelled.of(images, labels), self.config
        network = self._whole(run.seed, deepcopy(self.choice.patch))
        retake_statistics(network.patch, labelled.images)
        classifier = fresh(
            lambda: nn.Linear(network.outputs, len(labelled.classes)), run.seed, "classifier"
        )
        settings = config.model_dump(mode="json") | self._facts
        loss = cross_entropy_loss(labelled, config.finetune.views)
        both = ClassifierNetwork(network, classifier)
        finetune(both, loss, labelled, config.finetune, run, settings)
        self.encoder, self.classifier, self._classes = network, classifier, labelled.classes
        return self

    def _whole(self, seed: int, patch: PatchNetwork) -> WholeNetwork:
        return fresh(lambda: WholeNetwork(patch, self.config), seed, "last stage")

    @torch.inference_mode()
    def patch_choice(self, images: Any, /, *, seed: int = 0) -> dict[str, float]:
        """How often the right patch is chosen on such images, and how often by chance.

        Args:
            images: such as those of the fit, but others.
            seed: of the masks.
        """
        self.need_fit()
        images = read_images(images)
        images.need_shape(self.shape, self.slug)
        model, config = self.choice.eval(), self.config
        generator = torch_generator(seed, "patch choice")
        right = 0.0
        for rows in torch.arange(len(images)).split(AT_ONCE):
            pixels = images.batch(rows, model.start.device)
            hidden = random_mask(len(rows), config.grid**2, config.hidden, generator)
            queries, keys = model(cut_patches(pixels, config.grid), hidden.to(pixels.device))
            right += float(choice_accuracy(choices(queries, keys))) * len(rows)
        return {"accuracy": right / len(images), "chance": 1 / config.missing}

    def encoder_for(self, facts: Mapping[str, Any]) -> nn.Module:
        """The whole network; before fine-tuning the encoder is a view of the pre-training's."""
        channels, height, width = sizes(facts["shape"], 3, "shape")
        choice = fresh_choice((channels, height, width), self.config, 0)
        return self._whole(0, choice.patch)

    def learnt(self) -> Learnt:
        """The network of pre-training; where fine-tuned, also the whole network and classifier."""
        pretrained = Learnt(weights_of(self.choice))
        if self.classifier is None:
            whole = Learnt.joined({"choice": pretrained})
            whole.facts |= {"shape": list(self.shape), "data": self._facts}
            return whole
        whole = super().learnt()
        beside = Learnt.joined({"choice": pretrained})
        return Learnt(whole.arrays | beside.arrays, facts=whole.facts | beside.facts)

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self._facts = (channels, height, width), learnt.facts["data"]
        self.choice = fresh_choice(self.shape, self.config, 0)
        set_weights(self.choice, learnt.part("choice").arrays)
        self.choice.eval()
        self.encoder = Summary(self.choice)
        if "classifier" in learnt.facts:
            super().restore(learnt)
