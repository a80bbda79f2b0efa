"""Core-tuning (Zhang, Hooi, Hu, Liang, Feng 2021, arXiv 2102.06605)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import nn

from contraview.core.errors import InputError
from contraview.core.learnt import sizes
from contraview.core.run import Run
from contraview.frameworks.images.finetuning import ImageFinetuning, Labelled, finetune
from contraview.frameworks.images.start import read_start
from contraview.modalities.images.data import Images, read_images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.systems.core_tuning.config import PRESETS, CoreTuningConfig
from contraview.systems.core_tuning.objective import TunedNetwork, core_loss


class CoreTuning(ImageFinetuning):
    """Fine-tunes an encoder that was learnt without labels, and its classifier, on few labels.

    Plain cross entropy on few labels forgets the structure that pre-training found. Core-tuning
    makes further examples out of the features of a batch: each row's least similar row of its class
    mixed with its most similar row of another, and a row mixed with a random one. The classifier
    learns the mixtures with mixed labels, and a contrast draws features with the very same label
    together, hard pairs more than easy ones.

    ``CoreTuning(start="model").fit(images, labels=kinds)`` tunes the encoder of any fitted model
    that holds one; without ``start`` it begins with an untrained one. ``mixed``, ``eta`` and
    ``focal`` turn its parts off, down to plain cross entropy (``mixed=False, eta=0``).

    Differs from the official code: the hardest positive is searched among the rows of the class,
    and the contrast is averaged over positives, as in the paper (``parity="code"`` does as the
    code); soft labels are compared exactly; every batch takes a step; AdamW instead of SGD with
    Nesterov momentum; the last step's weights are kept, not those that did best on test images.

    Verbs: `classify`, `embed` and `search` by the tuned encoder.
    """

    slug = "core_tuning"
    Config = CoreTuningConfig
    presets: ClassVar = PRESETS

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "CoreTuning":
        """Tune the encoder on the images that have a label; those without take no part.

        Args:
            images: see `read_images`; of the size and colour that ``start`` was fitted on.
            labels: a class for each image, empty where unknown.
            run: seed, folder and progress.

        Raises:
            InputError: no labels, fewer than two classes, or a start that does not fit.
        """
        run, images = run or Run(), read_images(images)
        if labels is None:
            raise InputError("core_tuning: learns from labels; name their column with --labels")
        labelled = Labelled.of(images, labels)
        encoder, start = self._begun(images, run)
        config, classes = self.config, len(labelled.classes)
        self.shape = images.shape
        self._facts = {
            "images": len(images),
            "labelled": len(labelled.targets),
            "fingerprint": images.fingerprint(),
            "start": start,
        }
        run.log("data", **self._facts)
        network = fresh(
            lambda: TunedNetwork(encoder, encoder.outputs, classes, config), run.seed, "heads"
        )
        settings = config.model_dump(mode="json") | self._facts
        finetune(network, core_loss(labelled, config), labelled, config, run, settings)
        self.encoder, self.classifier = encoder, network.classifier
        self._classes = labelled.classes
        return self

    def _begun(self, images: Images, run: Run) -> tuple[ImageEncoder, str | None]:
        """The encoder to tune, new or of ``start``, and of which system the start is.

        The widths of a start become this model's.
        """
        if self.config.start is None:
            widths = self.config.widths
            encoder = fresh(lambda: ImageEncoder(images.shape[0], widths), run.seed, "encoder")
            encoder.standardise.learn(images)
            return encoder, None
        start = read_start(self.config.start)
        images.need_shape(start.shape, self.slug)
        self.config = self.config.model_copy(update={"widths": start.widths})
        return start.encoder, start.slug

    def encoder_for(self, facts: Mapping[str, Any]) -> nn.Module:
        """An `ImageEncoder` of the tuned one's widths."""
        return ImageEncoder(sizes(facts["shape"], 3, "shape")[0], self.config.widths)
