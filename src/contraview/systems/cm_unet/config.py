"""CM-UNet's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final

from pydantic import Field, PositiveInt, model_validator

from contraview.core import config
from contraview.networks.unet import Norm
from contraview.objectives.masked_mse import Normalise


class CmUnetConfig(config.Config):
    """Settings of CM-UNet; "official" is github.com/CamilleChallier/Contrastive-Masked-UNet."""

    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64),
        min_length=2,
        description="channels of the U-Net's levels, finest first, the last being the bottleneck; "
        "official 64, 128, 256, 512, 1024",
    )
    norm: Norm = Field("batch", description="normalisation in the U-Net; official batch")

    crop: int = Field(64, ge=8, description="side of the crops in pixels; official 256")
    area: tuple[float, float] | None = Field(
        None,
        description="share of the image that a pre-training crop covers before it is brought to "
        "`crop`; unset: crops keep the image's own scale; official 0.2 to 1",
    )
    flip: float = Field(0.5, ge=0, le=1, description="chance that a crop is mirrored; official 0.5")
    patch: int = Field(8, ge=1, description="side of a masked square in pixels; official 16")
    mask_ratio: float = Field(
        0.65, gt=0, lt=1, description="share of the squares that are hidden; official 0.65"
    )
    shared_mask: bool = Field(
        False,
        description="hide the first sample's squares in the whole batch while the loss counts "
        "each sample's own, as the official code does",
    )
    normalise: Normalise = Field(
        "patch",
        description="standardise what is to be reconstructed by its square (masked autoencoders), "
        "by its row of pixels (official) or not at all",
    )
    shift: int = Field(7, ge=0, description="largest shift of the target in pixels; official 31")
    noise_chance: float = Field(
        0.5, ge=0, le=1, description="chance that the target gets Gaussian noise; official 0.5"
    )
    noise: tuple[float, float] = Field(
        (0.1, 2.0),
        description="range of its standard deviation, in grey levels of 255; official 0.1 to 2 "
        "(in which unit is not said)",
    )

    reconstruction: float = Field(
        1.0, ge=0, description="weight of the reconstruction; 0 leaves it out; official 1"
    )
    contrast: float = Field(
        1.0, ge=0, description="weight of the contrast; 0 leaves it out; official 1"
    )
    temperature: float = Field(0.07, gt=0, description="tau of InfoNCE; official 0.07")
    momentum: float = Field(
        0.996, ge=0, lt=1, description="share that the teacher keeps at each step; official 0.996"
    )
    hidden: int = Field(256, ge=1, description="hidden width of both heads; official 1536")
    outputs: int = Field(64, ge=2, description="dimensions that are compared; official 256")

    steps: int | None = Field(
        300, ge=0, description="pre-training steps, 0 for none; or set epochs"
    )
    epochs: int | None = Field(None, ge=1, description="passes over the images; official 300")
    batch: int = Field(16, ge=2, description="crops a pre-training step; official 256")
    lr: float = Field(2e-3, gt=0, description="peak rate of AdamW; official 1.5e-4 batch 16 / 256")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps; official 40 / 300")
    weight_decay: float = Field(0.05, ge=0, description="of pre-training; official 0.05")

    finetune_steps: int = Field(300, ge=1, description="steps of learning from masks")
    finetune_batch: int = Field(16, ge=1, description="crops with masks a step; official 16 or 32")
    finetune_lr: float = Field(
        3e-3, gt=0, description="peak rate of AdamW; official from a grid, 1e-1 to 1e-6"
    )
    finetune_weight_decay: float = Field(1e-4, ge=0, description="of learning from masks")
    brightness: float = Field(
        0.05, ge=0, le=1, description="crops with masks are lightened by up to this share of white"
    )

    @model_validator(mode="after")
    def _fits(self) -> "CmUnetConfig":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        step = 2 ** (len(self.widths) - 1)
        if self.crop % step or self.crop % self.patch:
            raise ValueError(
                f"crop {self.crop} is not a multiple of {step} (two to the number of poolings) "
                f"and of patch {self.patch}"
            )
        if not self.reconstruction and not self.contrast:
            raise ValueError("reconstruction and contrast are both left out; set steps to 0")
        if self.area is not None and not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area {self.area} is no range of shares")
        if not 0 <= self.noise[0] <= self.noise[1]:
            raise ValueError(f"noise {self.noise} is no range")
        return self

    def total_steps(self, images: int) -> int:
        """Pre-training steps for so many images; the last incomplete batch is dropped."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * max(images // self.batch, 1)


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "widths": (64, 128, 256, 512, 1024),
        "norm": "batch",
        "crop": 256,
        "area": (0.2, 1.0),
        "flip": 0.5,
        "patch": 16,
        "mask_ratio": 0.65,
        "normalise": "row",
        "shift": 31,
        "noise_chance": 0.5,
        "noise": (0.1, 2.0),
        "reconstruction": 1.0,
        "contrast": 1.0,
        "temperature": 0.07,
        "momentum": 0.996,
        "hidden": 1536,
        "outputs": 256,
        "steps": None,
        "epochs": 300,
        "batch": 256,
        "lr": 2.4e-3,
        "warmup": 40 / 300,
        "weight_decay": 0.05,
        "finetune_batch": 16,
    },
}
