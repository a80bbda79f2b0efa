"""PixCell's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core import config
from contraview.frameworks.diffusion import Betas
from contraview.modalities.images.views import ViewConfig


class PixCellConfig(config.Config):
    """Settings of PixCell; "official" is github.com/cvlab-stonybrook/PixCell at commit ea163d68."""

    embedder_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128),
        min_length=1,
        description="channels of the embedder's blocks, each halves the tile; the last is the "
        "length of the embedding; official UNI2-h, 1536",
    )
    embedder_steps: int = Field(400, ge=1, description="SimCLR steps of the embedder")
    embedder_batch: int = Field(128, ge=2, description="tiles a SimCLR step")
    embedder_lr: float = Field(1e-3, gt=0, description="its peak learning rate")
    embedder_temperature: float = Field(0.2, gt=0, description="its NT-Xent temperature")
    views: ViewConfig = Field(
        ViewConfig.of(crop=0.5, jitter=0.2, grey=0.0, blur=0.0, rotate=180.0),
        description="the two views of a tile; weak in colour, which is what a stain is",
    )

    patch: int = Field(
        4,
        ge=1,
        description="side of the squares that become tokens, in pixels; official 2 of "
        "latents that are 8 times smaller than the image",
    )
    width: int = Field(128, ge=8, description="width of a token; official 1152")
    depth: int = Field(4, ge=1, description="blocks; official 28")
    heads: int = Field(4, ge=1, description="attention heads; official 16")
    times: int = Field(
        200, ge=2, le=100_000, description="T, steps of the noising process; official 1000"
    )
    betas: Betas = Field("linear", description="how noise grows with t; official linear")
    learnt_variance: bool = Field(
        False, description="learn the variance of a step too, by the bound; official on"
    )
    drop: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of tiles that train without condition; official 0.1; 1 "
        "is an unconditional model",
    )
    shift: float = Field(
        0.5,
        description="taken from pixels (0 to 1) before they are scaled; official, of latents, "
        "0.0609",
    )
    scale: float = Field(
        2.0, gt=0, description="what pixels are then multiplied by; official, of latents, 1.5305"
    )

    steps: int | None = Field(2000, ge=1, description="denoiser steps; or set epochs")
    epochs: int | None = Field(None, ge=1, description="passes over the tiles; official 10")
    batch: int = Field(32, ge=1, description="tiles a step; official 128 a device")
    lr: float = Field(1e-3, gt=0, description="peak rate of AdamW; official 2e-5 of CAME")
    warmup: int = Field(50, ge=0, description="steps that warm up; official 1000")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay")
    clip: float = Field(1.0, gt=0, description="largest gradient norm; official 0.01, with CAME")
    average: float = Field(
        0.99, ge=0, lt=1, description="decay of the averaged weights that draw; official 0.9999"
    )

    guidance: float = Field(2.0, ge=0, description="w of classifier-free guidance; official 2")
    sampling_steps: int = Field(20, ge=1, description="steps to draw a tile; official 20")
    order: Literal[1, 2] = Field(2, description="of the solver: 1 DDIM, 2 DPM-Solver++; official 2")

    flow_width: int = Field(256, ge=2, description="width of the stain flow's net; official 1024")
    flow_blocks: int = Field(3, ge=1, description="its residual blocks; official 6")
    flow_steps: int = Field(1000, ge=1, description="its training steps")
    flow_batch: int = Field(128, ge=1, description="pairs of embeddings a step")
    flow_lr: float = Field(1e-3, gt=0, description="its peak rate of AdamW; official 1e-4")
    flow_euler: int = Field(20, ge=1, description="Euler steps from one stain to the other")

    @model_validator(mode="after")
    def _fits(self) -> "PixCellConfig":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        if self.width % self.heads or self.width % 4:
            raise ValueError(f"width {self.width} is not a multiple of 4 and of {self.heads} heads")
        if self.sampling_steps > self.times:
            raise ValueError(
                f"sampling_steps {self.sampling_steps}: more than the {self.times} times"
            )
        return self

    def total_steps(self, tiles: int) -> int:
        """Denoiser steps for so many tiles; the last incomplete batch is dropped."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * max(tiles // self.batch, 1)


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "patch": 16,
        "width": 1152,
        "depth": 28,
        "heads": 16,
        "times": 1000,
        "betas": "linear",
        "learnt_variance": True,
        "drop": 0.1,
        "steps": None,
        "epochs": 10,
        "batch": 128,
        "lr": 2e-5,
        "warmup": 1000,
        "clip": 0.01,
        "average": 0.9999,
        "guidance": 2.0,
        "sampling_steps": 20,
        "order": 2,
        "flow_width": 1024,
        "flow_blocks": 6,
        "flow_lr": 1e-4,
    },
}
