"""The labelled half of CM-UNet: the pre-trained U-Net learns classes of pixels from a few masks."""

from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, demand
from contraview.core.run import Run
from contraview.core.weights import set_weights, weights_of
from contraview.modalities.images.crops import cut, cut_masks, random_places
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Standardise
from contraview.networks.fresh import fresh
from contraview.networks.unet import UNet, UNetDecoder, UNetEncoder
from contraview.objectives.dice import dice_loss
from contraview.systems.cm_unet.config import CmUnetConfig
from contraview.training.loop import train
from contraview.training.samplers import bootstrap
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step


class Segmenter:
    """A U-Net with one output map a class.

    Attributes:
        values: what the masks it learnt from called each class; the first is the background, 0.
    """

    values: tuple[int, ...]
    unet: UNet

    @classmethod
    def fit(
        cls,
        encoder: UNetEncoder,
        decoder: UNetDecoder,
        images: Images,
        standardise: Standardise,
        config: CmUnetConfig,
        run: Run,
    ) -> "Segmenter":
        """Fine-tune copies of ``encoder`` and ``decoder`` with the Dice loss on images with masks.

        All weights are trained. Where the number of classes is not that of the decoder's maps (two,
        for grey images), its last layer is new.
        """
        assert images.masks is not None
        found = np.unique(images.masks).tolist()
        if not any(found):
            raise InputError("the masks hold background (0) alone; expected a class to learn")
        self = cls()
        self.values = (0, *(value for value in found if value))
        self.unet = cls._with_last(deepcopy(encoder), deepcopy(decoder), len(self.values), run.seed)
        numbers = np.zeros(256, dtype=np.uint8)
        numbers[list(self.values)] = np.arange(len(self.values))
        classes = numbers[images.masks]
        schedule = Schedule(
            steps=config.finetune_steps,
            batch=config.finetune_batch,
            lr=config.finetune_lr,
            warmup=0.1,
            weight_decay=config.finetune_weight_decay,
        )
        train(
            self.unet,
            _loss(images.pixels, classes, standardise, config),
            bootstrap(len(images), config.finetune_batch, run.seed),
            schedule,
            run=run,
            name="finetune",
            settings={"config": config.model_dump(mode="json"), "data": images.fingerprint()},
        )
        return self

    @staticmethod
    def _with_last(encoder: UNetEncoder, decoder: UNetDecoder, classes: int, seed: int) -> UNet:
        if decoder.last.out_channels != classes:
            inputs = decoder.last.in_channels
            decoder.last = fresh(lambda: nn.Conv2d(inputs, classes, 1), seed, "cm_unet last")
        return UNet(encoder, decoder)

    @torch.inference_mode()
    def __call__(
        self, pixels: Float[Tensor, "1 c h w"], standardise: Standardise
    ) -> Int[np.ndarray, "h w"]:
        """The class of each pixel, as the masks call it; any size of image."""
        self.unet.eval()
        logits = self.unet(standardise(pixels))
        return np.array(self.values, dtype=np.int64)[logits[0].argmax(0).numpy()]

    def learnt(self) -> Learnt:
        """Weights and the masks' values."""
        return Learnt(weights_of(self.unet), facts={"values": list(self.values)})

    @classmethod
    def restore(cls, learnt: Learnt, encoder: UNetEncoder, decoder: UNetDecoder) -> "Segmenter":
        """What `learnt` described, on fresh parts of the same shape."""
        self = cls()
        self.values = tuple(learnt.facts["values"])
        demand(all(type(v) is int and 0 <= v < 256 for v in self.values), "values of no mask")
        self.unet = cls._with_last(encoder, decoder, len(self.values), seed=0)
        set_weights(self.unet, learnt.arrays)
        self.unet.eval()
        return self


def _loss(
    images: UInt8[np.ndarray, "m c h w"],
    classes: UInt8[np.ndarray, "m h w"],
    standardise: Standardise,
    config: CmUnetConfig,
) -> Loss:
    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        height, width = images.shape[2:]
        places = random_places(len(rows), height, width, config.crop, generator, flip=config.flip)
        truth = cut_masks(classes, rows, places, config.crop)
        pixels = lightened(cut(images, rows, places, config.crop), config.brightness, generator)
        inputs = standardise(pixels).to(generator.device)
        return Step(dice_loss(model(inputs), truth.to(generator.device)))

    return loss


def lightened(
    pixels: Float[Tensor, "n c h w"], most: float, generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Each image lightened or darkened by up to ``most``, where 1 is white."""
    amount = torch.rand(len(pixels), 1, 1, 1, generator=generator, device=generator.device)
    return pixels + (most * (2 * amount - 1)).to(pixels.device)
