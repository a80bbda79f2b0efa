"""Point-CMAE's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from contraview.core import config


class PointCmaeConfig(config.Config):
    """Settings of Point-CMAE; "official" is github.com/Amazingren/Point-CMAE at bae2b0d."""

    patches: int = Field(24, ge=2, description="patches of a cloud, G; official 64")
    patch_points: int = Field(16, ge=2, description="points of a patch, M; official 32")
    width: int = Field(64, ge=8, description="width of a token; official 384")
    patch_width: int = Field(
        16, ge=2, description="first layer of the patch network, whose others are 2, 4, 4 times as "
        "wide; official 128"
    )  # fmt: skip
    depth: int = Field(3, ge=1, description="blocks of the encoder; official 12")
    decoder_depth: int = Field(1, ge=1, description="blocks of each decoder; official 4")
    heads: int = Field(4, ge=1, description="attention heads; they divide width; official 6")
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="chance that the last block is left out; official 0.1"
    )
    pooling: Literal["mean_max", "cls_max"] = Field(
        "mean_max",
        description="shape vector: maximum over tokens, beside their mean or a class token "
        "(official, where no loss ever reads that token)",
    )

    masks: Literal[1, 2] = Field(2, description="masks of a cloud; 1 is Point-MAE")
    mask_ratio: float = Field(0.6, gt=0, lt=1, description="share of hidden patches; official 0.6")
    contrast: Literal["tokens", "clouds", "none"] = Field(
        "tokens",
        description="what has to agree: decoded tokens hidden by both masks, shape vectors of two "
        "augmented copies (NT-Xent; the combination that the paper advises against), or nothing",
    )
    match: Literal["same", "all"] = Field(
        "same",
        description="a token is drawn to the one at its own place, as the paper says, or to all "
        "tokens of the other branch, as the official code does",
    )
    reconstruction: float = Field(
        1000.0, gt=0, description="weight of the Chamfer distances; official 1000"
    )
    contrast_weight: float = Field(1.0, ge=0, description="weight of the contrast; official 1")
    temperature: float = Field(0.1, gt=0, description="of NT-Xent, for contrast=clouds")
    projection: int = Field(
        256, ge=2, description="outputs of the projector, for contrast=clouds; official 256, unused"
    )

    scale: float = Field(
        1.5, ge=1, description="each axis is stretched by 1/scale to scale; official 1.5"
    )
    shift: float = Field(0.2, ge=0, description="and moved by up to this; official 0.2")
    steps: int | None = Field(350, ge=1, description="optimiser steps; or set epochs")
    epochs: int | None = Field(None, ge=1, description="passes over the clouds; official 300")
    batch: int = Field(16, ge=2, description="clouds a step; official 128")
    lr: float = Field(1e-3, gt=0, description="peak learning rate of AdamW; official 1e-3")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the steps that warm up; official 10 of 300 epochs"
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay; official 0.05")
    svm_c: float = Field(0.01, gt=0, description="C of the linear SVM that names classes")

    @model_validator(mode="after")
    def _fits(self) -> "PointCmaeConfig":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        if self.masks == 1 and self.contrast != "none":
            raise ValueError("one mask has nothing to agree with; set contrast to none")
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        if not 0 < round(self.mask_ratio * self.patches) < self.patches:
            raise ValueError(
                f"a mask_ratio of {self.mask_ratio} hides none or all of {self.patches} patches"
            )
        return self

    def total_steps(self, clouds: int) -> int:
        """Optimiser steps for that many clouds; the last incomplete batch is dropped."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * max(clouds // self.batch, 1)


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "patches": 64,
        "patch_points": 32,
        "width": 384,
        "patch_width": 128,
        "depth": 12,
        "decoder_depth": 4,
        "heads": 6,
        "drop_path": 0.1,
        "pooling": "cls_max",
        "masks": 2,
        "mask_ratio": 0.6,
        "contrast": "tokens",
        "match": "all",
        "reconstruction": 1000.0,
        "contrast_weight": 1.0,
        "scale": 1.5,
        "shift": 0.2,
        "steps": None,
        "epochs": 300,
        "batch": 128,
        "lr": 1e-3,
        "warmup": 10 / 300,
        "weight_decay": 0.05,
    },
}
