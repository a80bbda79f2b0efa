"""Selfie's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core.config import Config
from contraview.frameworks.images.finetuning import FinetuningConfig
from contraview.modalities.images.views import ViewConfig


class SelfieConfig(Config):
    """Settings of Selfie. There is no official code; values of the paper are named where known."""

    start: str | None = Field(
        None,
        description="folder of a fitted selfie model whose patch network is fine-tuned; it is not "
        "pre-trained again. Unset: pre-train",
    )
    grid: int = Field(
        4, ge=2, description="patches a side of the image; paper 4 at 32 pixels, 7 at 224"
    )
    hidden: float = Field(
        0.25, gt=0, lt=1, description="share of the patches that are missing; paper .25"
    )
    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64),
        min_length=1,
        description="channels of the patch network's stages, multiples of 4; paper those of the "
        "first three of ResNet-50",
    )
    strides: tuple[PositiveInt, ...] = Field(
        (1, 2, 2),
        min_length=1,
        description="stride of each stage; the first is 1 for patches of a few pixels",
    )
    depths: tuple[int, ...] = Field(
        (0, 0, 0),
        min_length=1,
        description="bottleneck blocks of each stage; 0 is one convolution, as of a stem",
    )
    last_width: int = Field(
        128, ge=4, description="channels of the stage that fine-tuning adds; paper 2048"
    )
    last_depth: int = Field(0, ge=0, description="its bottleneck blocks; paper 3")
    norm: Literal["batch", "group"] = Field(
        "batch",
        description="normalisation; with batch, running statistics are taken anew on whole images "
        "before fine-tuning; group takes a patch's own brightness away; paper batch",
    )
    layers: int = Field(2, ge=0, description="transformer blocks of attention pooling; paper 3")
    heads: int = Field(4, ge=1, description="its attention heads; paper 32")
    feedforward: int = Field(128, ge=1, description="width of its perceptrons; paper 640")
    positions: Literal["each", "rows and columns"] = Field(
        "each",
        description="a learnt vector a position, or the sum of one a row and one a column, as the "
        "paper at 224 pixels",
    )
    place_context: bool = Field(
        True, description="add positions to the patches that are seen, not to the queries alone"
    )
    patch_crop: int = Field(
        0, ge=0, description="cut so many pixels off each patch, at random sides, against edges "
        "that go on in the neighbour"
    )  # fmt: skip
    patch_jitter: float = Field(
        0.0, ge=0, description="strength of a colour change of each patch, against colours that "
        "tell its place"
    )  # fmt: skip
    shuffled: bool = Field(
        False, description="control: ask for the patches at each other's positions, so that there "
        "is no answer"
    )  # fmt: skip
    views: ViewConfig = Field(
        ViewConfig.of(crop=0.0, jitter=0.0, grey=0.0, blur=0.0),
        description="how a whole image is altered before it is cut into patches",
    )
    steps: int = Field(400, ge=0, description="steps of pre-training; 0 for none")
    batch: int = Field(128, ge=2, description="images a step")
    lr: float = Field(2e-3, gt=0, description="peak learning rate of AdamW")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay")
    finetune: FinetuningConfig = Field(
        FinetuningConfig.of(), description="the stage that learns from labels, on whole images"
    )

    @model_validator(mode="after")
    def _fits(self) -> "SelfieConfig":
        if not len(self.widths) == len(self.strides) == len(self.depths):
            raise ValueError(
                f"{len(self.widths)} widths, {len(self.strides)} strides and {len(self.depths)} "
                "depths; expected one a stage"
            )
        if not 2 <= self.missing < self.grid**2:
            raise ValueError(
                f"hidden {self.hidden} of {self.grid**2} patches is {self.missing}; expected at "
                "least 2 missing, for a choice, and 1 that is seen"
            )
        if self.widths[-1] % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the last width {self.widths[-1]}")
        return self

    @property
    def missing(self) -> int:
        """How many patches of an image are missing."""
        return round(self.hidden * self.grid**2)


NETWORK: Final = (
    "grid", "hidden", "widths", "strides", "depths", "last_width", "last_depth", "norm", "layers",
    "heads", "feedforward", "positions", "place_context",
)  # fmt: skip
"""What a model that is fine-tuned keeps from the model it starts from."""

_RESNET_50: Final[dict[str, Any]] = {
    "widths": (64, 256, 512, 1024),
    "strides": (1, 1, 2, 2),
    "depths": (0, 3, 4, 6),
    "last_width": 2048,
    "last_depth": 3,
    "norm": "batch",
    "hidden": 0.25,
    "layers": 3,
    "heads": 32,
    "feedforward": 640,
}

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {**_RESNET_50, "grid": 4, "positions": "each"},
    "paper-224": {
        **_RESNET_50,
        "strides": (4, 1, 2, 2),
        "grid": 7,
        "positions": "rows and columns",
    },
}
"""``paper`` is for images of 32 pixels, ``paper-224`` for those of 224."""
