"""CM-UNet (Challier et al. 2025, arXiv 2507.17779)."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, sizes
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.modalities.images.data import Images
from contraview.modalities.images.masks import MaskedSource, read_masked
from contraview.modalities.images.nets import Standardise
from contraview.networks.unet import UNetDecoder, UNetEncoder
from contraview.systems.cm_unet.config import PRESETS, CmUnetConfig
from contraview.systems.cm_unet.pretraining import fresh_parts, pretrain
from contraview.systems.cm_unet.segmenter import Segmenter


class CmUnet(System):
    """Segments vessels, cells or organs after a few drawn masks, given many images without masks.

    A U-Net first learns from images alone, all of it, decoder included. It sees an image with
    most of its squares hidden and has to draw them; and the map of a second decoder has to tell
    which of the batch's images a slowly following teacher was shown, shifted by some pixels. Then
    it is fine-tuned with the Dice loss on the images that have masks.

    Differs from the official code (github.com/CamilleChallier/Contrastive-Masked-UNet): each
    sample is hidden by its own mask, in the input as in the loss; the teacher's map goes through
    one fixed layer, not a new random one at every step; any size that poolings and squares divide
    will do; images are standardised by the mean and spread of those it learnt from.
    ``--shared-mask`` and ``--normalise row`` are the official behaviour.

    Verb: `segment`, after a `fit` with masks, or after `finetune`.
    """

    slug = "cm_unet"
    Config = CmUnetConfig
    Source = MaskedSource
    presets: ClassVar = PRESETS

    channels: int
    standardise: Standardise
    encoder: UNetEncoder
    pixels: UNetDecoder
    segmenter: Segmenter | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """How many images there are, of which size, and how many have masks."""
        return read_masked(data).notes()

    def fit(self, images: Any, /, *, labels: Any = None, run: Run | None = None) -> "CmUnet":
        """Learn from ``images``; with masks, also to segment.

        Args:
            images: a folder, files, arrays or `Images`, some of which may have masks.
            labels: the masks, in place of those that came with the images; see `finetune`.
            run: seed, folder and progress.
        """
        run = run or Run()
        images = read_masked(images, masks=labels)
        self.channels = images.shape[0]
        self.standardise = Standardise(self.channels)
        self.standardise.learn(images)
        self.encoder, self.pixels = self._fresh_parts(run.seed)
        self.segmenter = None
        self._facts = {"images": len(images), "fingerprint": images.fingerprint()}
        run.log("data", **self._facts)
        pretrain(self.encoder, self.pixels, images, self.standardise, self.config, run)
        return self if images.masks is None else self.finetune(images, run=run)

    def finetune(self, images: Any, /, *, labels: Any = None, run: Run | None = None) -> "CmUnet":
        """Learn to segment from the images that have masks; those without take no part.

        Args:
            images: as for `fit`, of any one size.
            labels: a mask an image, [n, h, w] or a list in which None stands for no mask; whole
                numbers, 0 is background.
            run: seed, folder and progress.
        """
        self.need_fit()
        images = self._checked(read_masked(images, masks=labels))
        if images.masks is None:
            raise InputError("cm_unet: no image has a mask; expected at least one")
        if images.masked is not None:
            images = images.take(np.flatnonzero(images.masked))
        self.segmenter = Segmenter.fit(
            self.encoder,
            self.pixels,
            images,
            self.standardise,
            self.config,
            run or Run(),
        )
        return self

    def _fresh_parts(self, seed: int) -> tuple[UNetEncoder, UNetDecoder]:
        return fresh_parts(self.config, self.channels, seed)

    def _checked(self, images: Images) -> Images:
        if images.shape[0] != self.channels:
            raise InputError(
                f"cm_unet: images of {images.shape[0]} channels; expected {self.channels}, as in "
                f"the fit: read them with --channels {self.channels}"
            )
        return images

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "encoder")

    def segment(self, images: Any, /) -> list[Int[np.ndarray, "h w"]]:
        """The class of each pixel of each image, as the masks called it; 0 is background.

        Images may have another size than those of the fit, but vessels should be as many pixels
        wide in them.
        """
        self.need_fit()
        if self.segmenter is None:
            raise InputError("cm_unet: learnt no masks; fit with masks, or call finetune")
        images = self._checked(read_masked(images))
        rows = torch.arange(len(images)).split(1)
        return [self.segmenter(images.batch(row), self.standardise) for row in rows]

    def learnt(self) -> Learnt:
        """Both parts of the U-Net as pre-trained, and the fine-tuned one where there is one."""
        parts = {
            "encoder": Learnt(weights_of(self.encoder)),
            "pixels": Learnt(weights_of(self.pixels)),
            "standardise": Learnt(weights_of(self.standardise)),
        }
        if self.segmenter is not None:
            parts["segmenter"] = self.segmenter.learnt()
        learnt = Learnt.joined(parts)
        learnt.facts |= {"channels": self.channels, "fit": self._facts}
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        (self.channels,) = sizes([learnt.facts["channels"]], 1, "channels")
        self._facts = learnt.facts["fit"]
        self.encoder, self.pixels = self._fresh_parts(0)
        set_weights(self.encoder, learnt.part("encoder").arrays)
        set_weights(self.pixels, learnt.part("pixels").arrays)
        self.standardise = Standardise(self.channels)
        set_weights(self.standardise, learnt.part("standardise").arrays)
        if "segmenter" in learnt.facts:
            self.segmenter = Segmenter.restore(learnt.part("segmenter"), *self._fresh_parts(0))
